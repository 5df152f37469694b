"""Administrators' roles: asked for with a reason, given by others, for a time.

Each step is in the journal before it is made. Who may give roles is named in the settings
(``admin.granters``) and has no role by that: nobody gives a role to themselves, and a dangerous one
takes two people. The recovery admin may give what one person may give, never the dangerous ones: a
code on the gateway's own machine must not stand in for a second person.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from lockgate.control_plane.services.acting import Actor, EventAppender
from lockgate.control_plane.services.refused import Refused
from lockgate.model import AuditEvent
from lockgate.model.privilege import ADMIN_ROLES, DANGEROUS, RECOVERY, AdminRole, Privilege

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
LAPSES_MS = 24 * HOUR_MS
"""A request that nobody answered."""
SHORTEST_MS = MINUTE_MS
_LONGEST_REASON = 500

State = Literal["waiting", "active", "denied", "withdrawn", "lapsed", "revoked", "expired"]


class PrivilegeStore(Protocol):
    """Blocks. Raises ``model.StoreDown``."""

    def add(self, asked: Privilege) -> None: ...

    def replace(self, changed: Privilege) -> bool:
        """False where somebody else changed it first."""
        ...

    def list(self) -> tuple[Privilege, ...]:
        """All, also what is over, oldest first."""
        ...


class Rules(msgspec.Struct, frozen=True):
    """What the settings say about roles."""

    enforced: bool = False
    granters: frozenset[str] = frozenset()
    """Identities that may give roles, for good."""
    two_people: frozenset[AdminRole] = frozenset()
    """Besides the dangerous ones."""
    longest: int = 8 * HOUR_MS
    """Milliseconds."""
    accounts: Mapping[str, str] = {}
    """Operating system accounts, and the subject each is at the identity provider: so one person is
    one identity, however they come."""

    def people_for(self, role: AdminRole) -> int:
        return 2 if role in DANGEROUS | self.two_people else 1

    def may_grant(self, identity: str, role: AdminRole) -> bool:
        if identity == RECOVERY:
            return self.people_for(role) == 1
        return identity in self.granters

    def identity_of(self, account: str) -> str:
        """Of an operating system account."""
        subject = self.accounts.get(account)
        return f"oidc:{subject}" if subject else f"os:{account}"


class Privileges:
    def __init__(
        self,
        store: PrivilegeStore,
        events: EventAppender,
        rules: Rules,
        actor: Actor,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._events = events
        self._rules = rules
        self._actor = actor
        self._now_ms = now_ms
        self._random_bytes = random_bytes

    def request(self, role: AdminRole, reason: str, lasts: int) -> Privilege:
        """``lasts``: milliseconds. Raises ``Refused`` and ``StoreDown``, as all below."""
        self._check(role, reason, lasts)
        now = self._now_ms()
        asked = Privilege(
            id=self._random_bytes(8).hex(), role=role, holder=self._actor.identity,
            reason=reason.strip(), asked=now, lasts=lasts, expires=now + LAPSES_MS,
        )  # fmt: skip
        self._journal("privilege.request", asked, now)
        self._store.add(asked)
        return asked

    def grant(self, privilege_id: str) -> Privilege:
        """Say yes. What comes back is granted once enough people have."""
        found, now = self._waiting(privilege_id), self._now_ms()
        self._check_grant(found)
        by = (*found.granted_by, self._actor.identity)
        changed = msgspec.structs.replace(found, granted_by=by)
        if len(by) >= self._rules.people_for(found.role):
            changed = msgspec.structs.replace(changed, granted=now, expires=now + found.lasts)
        return self._put("privilege.grant", changed, now)

    def deny(self, privilege_id: str) -> Privilege:
        """Say no to a request, or withdraw one's own."""
        found = self._waiting(privilege_id)
        self._check_end(found)
        return self._end("privilege.deny", found)

    def revoke(self, privilege_id: str) -> Privilege:
        """End a role before its time: those who may give it, who holds it, and responders."""
        found = self._find(privilege_id)
        if state_of(found, self._now_ms()) != "active":
            raise Refused(f"{privilege_id} is not a role that somebody holds now.")
        self._check_end(found)
        return self._end("privilege.revoke", found)

    def list(self) -> tuple[Privilege, ...]:
        return self._store.list()

    def held(self) -> tuple[Privilege, ...]:
        """What the actor holds now."""
        now = self._now_ms()
        mine = (p for p in self._store.list() if p.holder == self._actor.identity)
        return tuple(p for p in mine if state_of(p, now) == "active")

    def holds(self, roles: Sequence[AdminRole]) -> bool:
        """Whether the actor holds one of these now; true where roles are not enforced."""
        return not self._rules.enforced or any(p.role in roles for p in self.held())

    def require(self, *roles: AdminRole) -> None:
        """Any one of these. Raises ``Refused``: what is needed, and how it is asked for."""
        if self.holds(roles):
            return
        named = " or ".join(roles)
        raise Refused(
            f"This takes the admin role {named}, which {self._actor.identity} does not hold now.",
            f"Ask for it: lockgate admin request {roles[0]} --reason WHY --for 2h. "
            "`lockgate admin who-can` says who may give it.",
        )

    def _check(self, role: AdminRole, reason: str, lasts: int) -> None:
        if role not in ADMIN_ROLES:
            raise Refused("There is no such role.", f"There are {', '.join(ADMIN_ROLES)}.")
        if self._actor.identity == RECOVERY:
            raise Refused("The recovery admin gives roles to people; it holds none itself.")
        if not reason.strip() or len(reason) > _LONGEST_REASON or not reason.isprintable():
            raise Refused(f"A reason is one line of at most {_LONGEST_REASON} characters.",
                          "Say what the role is needed for.")  # fmt: skip
        if not SHORTEST_MS <= lasts <= self._rules.longest:
            most = self._rules.longest / HOUR_MS
            raise Refused(f"A role lasts from one minute to {most:g} hours.", "Ask for less time.")
        now, mine = self._now_ms(), self._actor.identity
        for other in self._store.list():
            same = (other.holder, other.role) == (mine, role)
            if same and state_of(other, now) in ("waiting", "active"):
                raise Refused(f"{mine} asked for {role} already: {other.id}.",
                              "Withdraw it with `lockgate admin deny`, or wait.")  # fmt: skip

    def _check_grant(self, found: Privilege) -> None:
        mine = self._actor.identity
        if mine == found.holder:
            raise Refused("Nobody gives a role to themselves.", "Ask somebody else.")
        if mine in found.granted_by:
            raise Refused(f"{mine} said yes already; {found.role} takes another person's yes too.",
                          "`lockgate admin who-can` says whose.")  # fmt: skip
        if not self._rules.may_grant(mine, found.role):
            raise Refused(f"{mine} may not give the role {found.role}.",
                          "`lockgate admin who-can` says who may.")  # fmt: skip

    def _check_end(self, found: Privilege) -> None:
        """Ending is never harder than giving."""
        mine = self._actor.identity
        if mine == found.holder or mine in self._rules.granters or mine == RECOVERY:
            return
        if found.granted and any(p.role == "responder" for p in self.held()):
            return
        raise Refused(f"{mine} may not end this.", "`lockgate admin who-can` says who may.")

    def _find(self, privilege_id: str) -> Privilege:
        found = next((p for p in self._store.list() if p.id == privilege_id), None)
        if found is None:
            raise Refused(f"There is no request {privilege_id}.", "`lockgate admin list`.")
        return found

    def _waiting(self, privilege_id: str) -> Privilege:
        found = self._find(privilege_id)
        state = state_of(found, self._now_ms())
        if state != "waiting":
            raise Refused(f"{privilege_id} does not wait for an answer: it is {state}.")
        return found

    def _end(self, action: str, found: Privilege) -> Privilege:
        now = self._now_ms()
        ended = msgspec.structs.replace(found, ended=now, ended_by=self._actor.identity)
        return self._put(action, ended, now)

    def _put(self, action: str, changed: Privilege, now: int) -> Privilege:
        changed = msgspec.structs.replace(changed, version=changed.version + 1)
        self._journal(action, changed, now)
        if not self._store.replace(changed):
            raise Refused("Somebody else changed this at the same moment.",
                          "Look again with `lockgate admin list`.")  # fmt: skip
        return changed

    def _journal(self, action: str, about: Privilege, now: int) -> None:
        people = {"holder": about.holder, "reason": about.reason, "granted_by": about.granted_by}
        event = AuditEvent(
            id=self._random_bytes(16).hex(),
            call="",
            kind="admin.changed",
            at=now,
            effect="permit",
            reason="admin.changed",
            header={"action": action, "target": about.id, "role": about.role, "lasts": about.lasts,
                    "state": state_of(about, now), "expires": about.expires},
            slots={"actor": self._actor.told(), "subject": json.dumps(people).encode()},
        )  # fmt: skip
        self._events.append((event,))


def state_of(one: Privilege, now: int) -> State:
    if one.ended:
        if one.granted:
            return "revoked"
        return "withdrawn" if one.ended_by == one.holder else "denied"
    if now < one.expires:
        return "active" if one.granted else "waiting"
    return "expired" if one.granted else "lapsed"
