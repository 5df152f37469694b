"""API keys: made, listed, revoked. Each change is in the journal before it is made."""

import json
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Literal, Protocol

import msgspec

from lockgate.control_plane.services.refused import Refused
from lockgate.identity.api_key import mint
from lockgate.model import AuditEvent, KeyRecord
from lockgate.model.key import KeyKind
from lockgate.model.person import folded

DAY_MS = 86_400_000
MAX_DAYS = 366
_LONGEST_NAME = 200

State = Literal["active", "inactive", "expired", "revoked"]
"""``inactive``: its owner is (see ``identity.standing``)."""


class KeyStore(Protocol):
    """Blocks. Raises ``model.StoreDown``."""

    def add(self, record: KeyRecord) -> None: ...

    def list(self) -> tuple[KeyRecord, ...]:
        """All, also the revoked and expired, oldest first."""
        ...

    def revoke(self, key_id: str, at: int) -> bool:
        """False where there is no such key, or it was revoked before."""
        ...


class EventAppender(Protocol):
    """Blocks; durable on return. Raises ``model.StoreDown``."""

    def append(self, events: Sequence[AuditEvent]) -> None: ...


class KeyOrder(msgspec.Struct, frozen=True):
    """What a new key is to be."""

    kind: KeyKind
    owner: str
    days: int
    subject: str = ""
    """Only for a service: its name. A personal key speaks for its owner."""
    roles: tuple[str, ...] = ()
    agent: str = ""


class NewKey(msgspec.Struct, frozen=True):
    record: KeyRecord
    text: str
    """The key itself. Shown once; kept nowhere."""

    def __repr__(self) -> str:
        return f"NewKey({self.record.id})"


class Keys:
    """``actor`` is the operating system account that asks for the change."""

    def __init__(
        self,
        store: KeyStore,
        events: EventAppender,
        pepper: bytes,
        actor: str,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._events = events
        self._pepper = pepper
        self._actor = actor
        self._now_ms = now_ms
        self._random_bytes = random_bytes

    def create(self, order: KeyOrder) -> NewKey:
        """Raises ``Refused`` and ``StoreDown``."""
        subject = _subject(order)
        key_id, text, hashed = mint(order.kind, self._pepper, self._random_bytes)
        now = self._now_ms()
        record = KeyRecord(
            id=key_id, kind=order.kind, owner=order.owner, subject=subject,
            roles=frozenset(order.roles), agent=order.agent, hash=hashed,
            created=now, expires=now + order.days * DAY_MS,
        )  # fmt: skip
        about = {"kind": record.kind, "roles": sorted(record.roles), "expires": record.expires}
        self._journal("key.create", record, now, about)
        self._store.add(record)
        return NewKey(record, text)

    def list(self) -> tuple[KeyRecord, ...]:
        return self._store.list()

    def revoke(self, key_id: str) -> KeyRecord:
        """Raises ``Refused`` when there is no such key or it was revoked before."""
        found = next((r for r in self._store.list() if r.id == key_id), None)
        if found is None:
            raise Refused(f"There is no key {key_id}.", "`lockgate keys list` names them.")
        if found.revoked:
            raise Refused(f"Key {key_id} was revoked before.")
        return self._revoke(found)

    def revoke_all_of(self, owner: str) -> tuple[KeyRecord, ...]:
        """Every key a person answers for, expired ones too. Raises ``Refused`` for none."""
        found = [r for r in self._store.list() if r.owner == owner and not r.revoked]
        if not found:
            raise Refused(f"{owner} owns no key that is not revoked.")
        return tuple(self._revoke(record) for record in found)

    def _revoke(self, record: KeyRecord) -> KeyRecord:
        now = self._now_ms()
        self._journal("key.revoke", record, now, {"kind": record.kind})
        self._store.revoke(record.id, now)
        return msgspec.structs.replace(record, revoked=now)

    def _journal(
        self, action: str, record: KeyRecord, now: int, about: Mapping[str, object]
    ) -> None:
        event = AuditEvent(
            id=self._random_bytes(16).hex(),
            call="",
            kind="admin.changed",
            at=now,
            effect="permit",
            reason="admin.changed",
            header={"action": action, "target": record.id, **about},
            slots={
                "actor": json.dumps({"account": self._actor, "via": "cli"}).encode(),
                "subject": json.dumps({"owner": record.owner, "subject": record.subject}).encode(),
            },
        )
        self._events.append((event,))


def state_of(record: KeyRecord, now: int, leavers: Set[str] = frozenset()) -> State:
    """``leavers``: folded names, see ``services.people.inactive_names``."""
    if record.revoked:
        return "revoked"
    if now >= record.expires:
        return "expired"
    return "inactive" if folded(record.owner) in leavers else "active"


def _subject(order: KeyOrder) -> str:
    _check_names(order)
    if not 1 <= order.days <= MAX_DAYS:
        raise Refused(
            f"A key is valid for 1 to {MAX_DAYS} days.", "Give for instance --expires 90d."
        )
    if order.kind == "personal":
        if order.subject not in ("", order.owner):
            remedy = "Leave --subject out, or make a service key."
            raise Refused("A personal key speaks for its owner.", remedy)
        return order.owner
    if not order.subject:
        raise Refused("A service key needs the service's name.", "Give --subject NAME.")
    return order.subject


def _check_names(order: KeyOrder) -> None:
    named = [("--owner", order.owner), ("--agent", order.agent), ("--subject", order.subject)]
    for option, value in [*named, *(("--role", role) for role in order.roles)]:
        if len(value) > _LONGEST_NAME or not value.isprintable() or value != value.strip():
            raise Refused(f"{option} must be plain text of at most {_LONGEST_NAME} characters.")
    if not order.owner:
        raise Refused("A key needs an owner: the person who answers for it.", "Give --owner.")
    if "" in order.roles:
        raise Refused("A role has no name.", "Give --role NAME.")
