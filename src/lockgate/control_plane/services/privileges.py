"""Administrators' roles: asked for with a reason, given by others, for a time.

A role is a question to other people, and being approved is holding it: nothing else has to be done,
so nothing can be done twice or by half. Who may give roles is named in the settings
(``admin.granters``) and has no role by that: nobody gives a role to themselves, and a dangerous one
takes two people. The recovery admin may give what one person may give, never the dangerous ones: a
code on the gateway's own machine must not stand in for a second person.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal, cast

import msgspec
import orjson

from lockgate.approval.approvers import name_of
from lockgate.approval.rules import FactorRule
from lockgate.control_plane.services.approvals import Approvals
from lockgate.control_plane.services.refused import Refused
from lockgate.control_plane.services.subjects import RoleWanted, reason_in
from lockgate.model.inquiry import LIVE, Answer, Asked, Inquiry, InquiryState, Need
from lockgate.model.privilege import ADMIN_ROLES, DANGEROUS, RECOVERY, AdminRole, Privilege

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
LAPSES_MS = 24 * HOUR_MS
"""A request that nobody answered."""
REASON_MS = 90 * LAPSES_MS
"""How long a reason is kept for showing. The journal has it besides."""
SHORTEST_MS = MINUTE_MS
_LONGEST_REASON = 500
_MOST = 10_000
MOST_PER_HOUR = 20
"""Requests of one person."""

ONE, TWO = "role:one", "role:two"
"""Factors that no settings can name: whoever gives a role that one person, or two, may give."""

State = Literal["waiting", "active", "denied", "withdrawn", "lapsed", "revoked", "expired"]
_STATES: Mapping[InquiryState, State] = {
    "pending": "waiting", "approved": "active", "denied": "denied", "vetoed": "denied",
    "cancelled": "withdrawn", "revoked": "revoked",
}  # fmt: skip


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
        return identity in self.factors[self.need(role).factor].people

    def need(self, role: AdminRole) -> Need:
        count = self.people_for(role)
        return Need(ONE if count == 1 else TWO, count)

    @property
    def factors(self) -> Mapping[str, FactorRule]:
        """For ``ApprovalRules``."""
        two = self.granters - {RECOVERY}
        return {ONE: FactorRule(people=self.granters | {RECOVERY}, fixed=True),
                TWO: FactorRule(people=two, count=2, fixed=True)}  # fmt: skip

    def identity_of(self, account: str) -> str:
        """Of an operating system account."""
        subject = self.accounts.get(account)
        return f"oidc:{subject}" if subject else f"os:{account}"


class Privileges:
    """``approvals``: as whoever asks, gives and ends."""

    def __init__(self, approvals: Approvals, rules: Rules) -> None:
        self._approvals = approvals
        self._rules = rules

    @property
    def _me(self) -> str:
        return self._approvals.actor.identity

    def request(self, role: AdminRole, reason: str, lasts: int) -> Privilege:
        """``lasts``: milliseconds. Raises ``Refused`` and ``StoreDown``, as all below."""
        self._check(role, reason, lasts)
        now, id = self._approvals.now_ms(), self._approvals.random_bytes(8).hex()
        need, reason = self._rules.need(role), reason.strip()
        asked = Inquiry(
            id=id, kind="role", digest=_digest(id, role, self._me, reason, lasts),
            title=f"admin role {role}", holder=self._me, excluded=(name_of(self._me),),
            needs=(need,), created=now, expires=now + LAPSES_MS, window=lasts, tool={"role": role},
            kept_until=now + REASON_MS,
        )  # fmt: skip
        payload = msgspec.msgpack.encode(RoleWanted(reason))
        return privilege_of(Asked(self._approvals.ask(asked, payload)), payload)

    def grant(self, privilege_id: str) -> Privilege:
        """Say yes. What comes back is granted once enough people have."""
        found, asked = self._waiting(privilege_id)
        self._check_grant(found)
        changed = self._approvals.answer(found.id, asked.inquiry.digest, "yes")
        return self._privilege(changed)

    def deny(self, privilege_id: str) -> Privilege:
        """Say no to a request, or withdraw one's own."""
        found, asked = self._waiting(privilege_id)
        self._check_end(found)
        if self._approvals.approvers.same(self._me, found.holder):
            self._approvals.withdraw(found.id)
        else:
            answer: Answer = "no" if self._rules.may_grant(self._me, found.role) else "veto"
            self._approvals.answer(found.id, asked.inquiry.digest, answer)
        return self._find(found.id)[0]

    def revoke(self, privilege_id: str) -> Privilege:
        """End a role before its time: those who may give it, who holds it, and responders."""
        found, _ = self._find(privilege_id)
        if state_of(found, self._approvals.now_ms()) != "active":
            raise Refused(f"{privilege_id} is not a role that somebody holds now.")
        self._check_end(found)
        self._approvals.withdraw(found.id)
        return self._find(found.id)[0]

    def list(self) -> tuple[Privilege, ...]:
        """All that is known, also what is over, oldest first."""
        listed = self._approvals.store.listed((), _MOST)
        found = (self._privilege(asked) for asked in listed if asked.inquiry.kind == "role")
        return tuple(reversed(tuple(found)))

    def held(self) -> tuple[Privilege, ...]:
        """What the actor holds now."""
        now, listed = self._approvals.now_ms(), self._approvals.store.listed(("approved",), _MOST)
        roles = (a for a in listed if (a.inquiry.kind, a.inquiry.holder) == ("role", self._me))
        return tuple(privilege_of(a) for a in roles if a.inquiry.at(now).state == "approved")

    def holds(self, roles: Sequence[AdminRole]) -> bool:
        """Whether the actor holds one of these now; true where roles are not enforced."""
        return not self._rules.enforced or any(p.role in roles for p in self.held())

    def require(self, *roles: AdminRole) -> None:
        """Any one of these. Raises ``Refused``: what is needed, and how it is asked for."""
        if self.holds(roles):
            return
        named = " or ".join(roles)
        raise Refused(
            f"This takes the admin role {named}, which {self._me} does not hold now.",
            f"Ask for it: lockgate admin request {roles[0]} --reason WHY --for 2h. "
            "`lockgate admin who-can` says who may give it.",
        )

    def _check(self, role: AdminRole, reason: str, lasts: int) -> None:
        if role not in ADMIN_ROLES:
            raise Refused("There is no such role.", f"There are {', '.join(ADMIN_ROLES)}.")
        if self._me == RECOVERY:
            raise Refused("The recovery admin gives roles to people; it holds none itself.")
        if not reason.strip() or len(reason) > _LONGEST_REASON or not reason.isprintable():
            raise Refused(f"A reason is one line of at most {_LONGEST_REASON} characters.",
                          "Say what the role is needed for.")  # fmt: skip
        if not SHORTEST_MS <= lasts <= self._rules.longest:
            most = self._rules.longest / HOUR_MS
            raise Refused(f"A role lasts from one minute to {most:g} hours.", "Ask for less time.")
        now = self._approvals.now_ms()
        self._check_pace(now)
        for asked in self._approvals.store.listed(sorted(LIVE), _MOST):
            one = asked.inquiry.at(now)
            same = (one.kind, one.holder, one.tool.get("role")) == ("role", self._me, role)
            if same and one.state in LIVE:
                raise Refused(f"{self._me} asked for {role} already: {one.id}.",
                              "Withdraw it with `lockgate admin deny`, or wait.")  # fmt: skip

    def _check_pace(self, now: int) -> None:
        """Each request tells others, also one that is taken back at once."""
        mine = self._approvals.store.listed((), MOST_PER_HOUR, self._me)
        lately = [a for a in mine if a.inquiry.kind == "role" and a.inquiry.created > now - HOUR_MS]
        if len(lately) >= MOST_PER_HOUR:
            raise Refused(f"{self._me} asked for roles {len(lately)} times within an hour.",
                          "Come back later.")  # fmt: skip

    def _check_grant(self, found: Privilege) -> None:
        mine = self._me
        if self._approvals.approvers.same(mine, found.holder):
            raise Refused("Nobody gives a role to themselves.", "Ask somebody else.")
        if mine in found.granted_by:
            raise Refused(f"{mine} said yes already; {found.role} takes another person's yes too.",
                          "`lockgate admin who-can` says whose.")  # fmt: skip
        if not self._rules.may_grant(mine, found.role):
            raise Refused(f"{mine} may not give the role {found.role}.",
                          "`lockgate admin who-can` says who may.")  # fmt: skip

    def _check_end(self, found: Privilege) -> None:
        """Ending is never harder than giving. A responder ends what is held; of what only waits,
        they are no part (as of any question, they may stop it by a veto)."""
        mine = self._me
        if self._approvals.approvers.same(mine, found.holder):
            return
        if mine in self._rules.granters or mine == RECOVERY:
            return
        if found.granted and any(p.role == "responder" for p in self.held()):
            return
        raise Refused(f"{mine} may not end this.", "`lockgate admin who-can` says who may.")

    def _find(self, privilege_id: str) -> tuple[Privilege, Asked]:
        asked = self._approvals.store.get(privilege_id)
        if asked is None or asked.inquiry.kind != "role":
            raise Refused(f"There is no request {privilege_id}.", "`lockgate admin list`.")
        return self._privilege(asked), asked

    def _waiting(self, privilege_id: str) -> tuple[Privilege, Asked]:
        found, asked = self._find(privilege_id)
        state = state_of(found, self._approvals.now_ms())
        if state != "waiting":
            raise Refused(f"{privilege_id} does not wait for an answer: it is {state}.")
        return found, asked

    def _privilege(self, asked: Asked) -> Privilege:
        return privilege_of(asked, self._approvals.store.payload(asked.inquiry.id) or b"")


def privilege_of(asked: Asked, payload: bytes = b"") -> Privilege:
    """A question about a role, as an administrator knows it."""
    one = asked.inquiry
    given = tuple(v.voter for v in asked.votes if v.answer == "yes")
    stopped = tuple(v.voter for v in asked.votes if v.answer != "yes")[-1:]
    ended = 0 if one.state == "expired" else one.ended
    return Privilege(
        id=one.id, role=cast("AdminRole", one.tool["role"]), holder=one.holder,
        reason=reason_in(payload), asked=one.created, lasts=one.window, expires=one.expires,
        granted_by=given, granted=one.decided, ended=ended,
        ended_by=one.ended_by or "".join(stopped), state=one.state,
    )  # fmt: skip


def state_of(one: Privilege, now: int) -> State:
    if one.state in ("pending", "approved", "expired") and now >= one.expires:
        return "expired" if one.granted else "lapsed"
    return "revoked" if one.granted and one.state == "vetoed" else _STATES[one.state]


def _digest(*said: object) -> str:
    return hashlib.sha256(b"lockgate/role/v1\0" + orjson.dumps(said)).hexdigest()
