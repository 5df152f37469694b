"""API keys: made, listed, rotated, revoked. Each change is in the journal before it is made."""

import re
from collections.abc import Mapping, Sequence, Set
from typing import Literal, Protocol

import msgspec

from lockgate.control_plane.services.acting import Acting
from lockgate.control_plane.services.refused import Refused
from lockgate.identity.api_key import mint
from lockgate.identity.networks import network_in
from lockgate.model import AuditEvent, KeyRecord
from lockgate.model.key import KeyKind
from lockgate.model.person import folded

DAY_MS = 86_400_000
MAX_DAYS = 366
_LONGEST_NAME = 200
_MOST_NETWORKS = 32
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
"""RFC 6749, 3.3: ``scope-token``."""

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

    def rotate(self, key_id: str, successor: KeyRecord, expires: int) -> bool:
        """Add ``successor`` and let the key end at ``expires``, both or neither. False where the
        key is not there, was revoked, has a successor or would end sooner."""
        ...


class KeyOrder(msgspec.Struct, frozen=True):
    """What a new key is to be."""

    kind: KeyKind
    owner: str
    days: int
    subject: str = ""
    """Only for a service: its name. A personal key speaks for its owner."""
    roles: tuple[str, ...] = ()
    agent: str = ""
    scopes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    """Where it may be used from, in CIDR notation; anywhere where there are none."""


class NewKey(msgspec.Struct, frozen=True):
    record: KeyRecord
    text: str
    """The key itself. Shown once; kept nowhere."""

    def __repr__(self) -> str:
        return f"NewKey({self.record.id})"


class Rotation(msgspec.Struct, frozen=True):
    old: KeyRecord
    """As it is now, with the time at which it ends."""
    new: NewKey


class Keys:
    """``pepper``: what key hashes are keyed with."""

    def __init__(self, store: KeyStore, acting: Acting, pepper: bytes) -> None:
        self._store = store
        self._acting = acting
        self._pepper = pepper

    def create(self, order: KeyOrder) -> NewKey:
        """Raises ``Refused`` and ``StoreDown``."""
        subject = _subject(order)
        key_id, text, hashed = mint(order.kind, self._pepper, self._acting.random_bytes)
        now = self._acting.now_ms()
        record = KeyRecord(
            id=key_id, kind=order.kind, owner=order.owner, subject=subject,
            roles=frozenset(order.roles), agent=order.agent, hash=hashed,
            created=now, expires=now + order.days * DAY_MS, scopes=frozenset(order.scopes),
            networks=tuple(str(network_in(one)) for one in order.networks),
        )  # fmt: skip
        self._acting.record(self._event("key.create", record, now, _described(record)))
        self._store.add(record)
        return NewKey(record, text)

    def rotate(self, key_id: str, overlap_ms: int, days: int | None = None) -> Rotation:
        """A successor that is all the key is. The key ends after ``overlap_ms``, or when it would
        have anyway. ``days``: how long the successor is valid; None: as long as the key was made
        for. Raises ``Refused`` and ``StoreDown``."""
        old, now = self._found(key_id), self._acting.now_ms()
        _check_rotatable(old, now)
        if days is not None:
            _check_days(days)
        new_id, text, hashed = mint(old.kind, self._pepper, self._acting.random_bytes)
        lasts = days * DAY_MS if days is not None else old.expires - old.created
        new = msgspec.structs.replace(
            old, id=new_id, hash=hashed, created=now, expires=now + lasts, used=0
        )
        ends = min(old.expires, now + overlap_ms)
        ending = {"kind": old.kind, "successor": new_id, "expires": ends}
        self._acting.record(
            self._event("key.create", new, now, {**_described(new), "predecessor": old.id}),
            self._event("key.rotate", old, now, ending),
        )
        if not self._store.rotate(old.id, new, ends):
            raise Refused(f"Key {old.id} was changed meanwhile.", "Look at it, then try again.")
        return Rotation(
            msgspec.structs.replace(old, successor=new_id, expires=ends), NewKey(new, text)
        )

    def list(self) -> tuple[KeyRecord, ...]:
        return self._store.list()

    def revoke(self, key_id: str) -> KeyRecord:
        """Raises ``Refused`` when there is no such key or it was revoked before."""
        found = self._found(key_id)
        if found.revoked:
            raise Refused(f"Key {key_id} was revoked before.")
        return self._revoke(found)

    def revoke_all_of(self, owner: str) -> tuple[KeyRecord, ...]:
        """Every key a person answers for, expired ones too. Raises ``Refused`` for none."""
        done: list[KeyRecord] = []
        # Once more each time: one of them may have been rotated meanwhile. When all are revoked,
        # none can be.
        while found := [r for r in self._store.list() if r.owner == owner and not r.revoked]:
            done += map(self._revoke, found)
        if not done:
            raise Refused(f"{owner} owns no key that is not revoked.")
        return tuple(done)

    def _found(self, key_id: str) -> KeyRecord:
        found = next((r for r in self._store.list() if r.id == key_id), None)
        if found is None:
            raise Refused(f"There is no key {key_id}.", "`lockgate keys list` names them.")
        return found

    def _revoke(self, record: KeyRecord) -> KeyRecord:
        now = self._acting.now_ms()
        self._acting.record(self._event("key.revoke", record, now, {"kind": record.kind}))
        self._store.revoke(record.id, now)
        return msgspec.structs.replace(record, revoked=now)

    def _event(
        self, action: str, record: KeyRecord, now: int, about: Mapping[str, object]
    ) -> AuditEvent:
        whose = {"owner": record.owner, "subject": record.subject, "networks": record.networks}
        return self._acting.event({"action": action, "target": record.id, **about}, whose, at=now)


def state_of(record: KeyRecord, now: int, leavers: Set[str] = frozenset()) -> State:
    """``leavers``: folded names, see ``services.people.inactive_names``."""
    if record.revoked:
        return "revoked"
    if now >= record.expires:
        return "expired"
    return "inactive" if folded(record.owner) in leavers else "active"


def _described(record: KeyRecord) -> dict[str, object]:
    """What the journal keeps for good: no person, and no address, which may be somebody's home."""
    return {
        "kind": record.kind, "roles": sorted(record.roles), "scopes": sorted(record.scopes),
        "networks": len(record.networks), "expires": record.expires,
    }  # fmt: skip


def _check_rotatable(record: KeyRecord, now: int) -> None:
    state = state_of(record, now)
    if state != "active":
        raise Refused(f"Key {record.id} is {state}.", "Make a new one: `lockgate keys create`.")
    if record.successor:
        raise Refused(f"Key {record.id} was rotated before: {record.successor} follows it.",
                      "Rotate that one.")  # fmt: skip


def _check_days(days: int) -> None:
    if not 1 <= days <= MAX_DAYS:
        raise Refused(
            f"A key is valid for 1 to {MAX_DAYS} days.", "Give for instance --expires 90d."
        )


def _subject(order: KeyOrder) -> str:
    _check_names(order)
    _check_scopes(order.scopes)
    _check_networks(order.networks)
    _check_days(order.days)
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


def _check_scopes(scopes: Sequence[str]) -> None:
    for scope in scopes:
        if len(scope) > _LONGEST_NAME or not _SCOPE.fullmatch(scope):
            raise Refused("A scope is a word of ASCII characters without quotes and backslashes.",
                          "Give --scope once for each.")  # fmt: skip


def _check_networks(networks: Sequence[str]) -> None:
    if len(networks) > _MOST_NETWORKS:
        raise Refused(f"A key may name {_MOST_NETWORKS} networks at most.")
    for network in networks:
        try:
            network_in(network)
        except ValueError as error:
            remedy = "Write for instance 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7."
            raise Refused(f"--network {network} is no network: {error}.", remedy) from error
