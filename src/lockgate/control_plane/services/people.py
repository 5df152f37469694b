"""Who works here: told by an identity provider, read from a directory, or said by an operator.

Each change is in the journal before it is made.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeVar

import msgspec

from lockgate.control_plane.services.acting import Acting
from lockgate.control_plane.services.keys import KeyStore
from lockgate.control_plane.services.refused import Refused
from lockgate.model import AuditEvent, Group, Person
from lockgate.model.person import OPERATOR, folded

LONGEST_NAME = 256
_AGAIN = 5
"""How often a change is tried anew where another one came between."""

Row = Person | Group
RowT = TypeVar("RowT", bound=Person | Group)
State = Literal["active", "inactive", "deleted"]
_PERSONAL = ("user_name", "external_id", "name", "employee")
_UNTOLD = ("learned", "version", "created")


class PeopleStore(Protocol):
    """Blocks. Raises ``model.StoreDown``."""

    def put(self, people: Sequence[Person] = (), groups: Sequence[Group] = ()) -> str:
        """All or none: ``done``, ``changed`` (read again) or ``taken`` (the name of another)."""
        ...

    def people(self) -> tuple[Person, ...]:
        """All, also the deleted."""
        ...

    def groups(self) -> tuple[Group, ...]:
        """All, also the deleted."""
        ...

    def find(self, ids: Sequence[str]) -> tuple[Person | Group, ...]:
        """Those of these ids that there are, also the deleted."""
        ...

    def called(self, name: str) -> tuple[Person, ...]:
        """Whose user name is this but for case, or external id exactly; also the deleted."""
        ...


class NameTaken(Exception):
    """The same source has someone else of this name (RFC 7644, 3.12: ``uniqueness``)."""


class Overtaken(Exception):
    """What was to be changed is not any more what it was when it was read."""


class People:
    def __init__(self, store: PeopleStore, keys: KeyStore, acting: Acting) -> None:
        self._store = store
        self._keys = keys
        self._acting = acting

    def list(self) -> tuple[Person, ...]:
        """All that sources have, in the order they came to be known."""
        return tuple(one for one in self._store.people() if not one.deleted)

    def groups(self) -> tuple[Group, ...]:
        return tuple(one for one in self._store.groups() if not one.deleted)

    def found(self, ids: Sequence[str]) -> tuple[Row, ...]:
        """Those of these ids that there are and that are not deleted."""
        return tuple(row for row in self._store.find(ids) if not row.deleted)

    def find(self, id: str) -> Row | None:
        return next(iter(self.found([id])), None)

    def called(self, name: str) -> tuple[Person, ...]:
        """Whose user name is this but for case, or external id exactly; without the deleted."""
        return tuple(one for one in self._store.called(name) if not one.deleted)

    def new_id(self) -> str:
        return self._acting.new_id()

    def known_as(self, name: str) -> tuple[Person, ...]:
        """What every source says, also of who was deleted. Raises ``Refused`` for nothing."""
        found = self._store.called(name)
        if not found:
            raise Refused(f"No source knows {name}.", "`lockgate people list` names those known.")
        return found

    def set_active(self, name: str, active: bool) -> Person:
        """The operator's own word on a person, whom no other source needs to know.

        Raises ``Refused`` where it changes nothing, or is not the operator's to change.
        """
        check_name("The name", name)
        for _ in range(_AGAIN):
            changed = self._said(name, active)
            try:
                self.write([changed])
            except (Overtaken, NameTaken):  # somebody else said something meanwhile
                continue
            return changed
        raise Refused("Others keep changing this person.", "Try again.")

    def _said(self, name: str, active: bool) -> Person:
        alike = self.called(name)
        mine = next((p for p in alike if p.source == OPERATOR), None)
        if active and (sources := self._against(name)):
            raise Refused(f"{sources} says that {name} is not active.", "Change it there.")
        if mine is not None and mine.active == active:
            raise Refused(f"{name} is {'active' if active else 'inactive'} already.")
        if mine is None:
            return Person(self.new_id(), OPERATOR, name, active=active)
        return msgspec.structs.replace(mine, active=active)

    def delete(self, row: Row) -> None:
        """As ``write``. A person stays known as one who has left."""
        self.write([self.deleted(row)])

    def _against(self, name: str) -> str:
        """Other sources that say no, also by having deleted whoever had the name."""
        others = [p for p in self._store.called(name) if p.source != OPERATOR]
        sources = {p.source for p in others}
        return ", ".join(
            source
            for source in sorted(sources)
            if folded(name) in inactive_names([p for p in others if p.source == source])
        )

    def deleted(self, row: RowT) -> RowT:
        """``row``, as it is to be written when its source has it no more."""
        changes: dict[str, int | bool] = {"deleted": self._acting.now_ms()}
        if isinstance(row, Person):
            changes["active"] = False
        return msgspec.structs.replace(row, **changes)

    def write(self, rows: Sequence[Row]) -> None:
        """Put these in the place of what is known under their ids, or beside it.

        A name that someone gives up may be another's tomorrow: the keys under it are revoked.
        Raises ``NameTaken``, ``Overtaken`` and ``StoreDown``.
        """
        now = self._acting.now_ms()
        before = {row.id: row for row in self._store.find([row.id for row in rows])}
        self._check(rows, before)
        rows = [_dated(row, before.get(row.id), now) for row in rows]
        self._acting.record(*(self._event(row, before.get(row.id), now) for row in rows))
        released = {name for row in rows for name in _released(row, before.get(row.id))}
        if released:
            self._revoke(released, now)
        done = self._store.put(
            [row for row in rows if isinstance(row, Person)],
            [row for row in rows if isinstance(row, Group)],
        )
        if done == "taken":
            raise NameTaken
        if done == "changed":
            raise Overtaken

    def _check(self, rows: Sequence[Row], before: Mapping[str, Row]) -> None:
        """What will not be done is not in the journal either, nor are keys revoked for it."""
        for row in rows:
            held = before.get(row.id)
            if row.version != (held.version if held is not None else 0):
                raise Overtaken
        if len(rows) == 1 and any(map(self._taken, rows)):
            raise NameTaken

    def _taken(self, row: Row) -> bool:
        if not isinstance(row, Person) or row.deleted:
            return False
        return any(_same_name(row, other) for other in self._store.called(row.user_name))

    def _revoke(self, names: set[str], now: int) -> None:
        left = {folded(name) for name in names}
        held = [k for k in self._keys.list() if folded(k.owner) in left and not k.revoked]
        for key in held:
            about = {"action": "key.revoke", "target": key.id, "kind": key.kind}
            said = {"owner": key.owner, "subject": key.subject}
            self._acting.record(self._acting.event(about, said, at=now))
            self._keys.revoke(key.id, now)

    def _event(self, row: Row, before: Row | None, now: int) -> AuditEvent:
        """Header: what kind of thing changed. Whom it is about is in a slot."""
        kind = "person" if isinstance(row, Person) else "group"
        changed = [name for name in row.__struct_fields__ if name not in (*_UNTOLD, "id", "source")
                   and getattr(row, name) != getattr(before, name, None)]  # fmt: skip
        deed = "delete" if row.deleted else "change" if before is not None else "add"
        about: dict[str, object] = {
            "action": f"{kind}.{deed}", "target": row.id, "source": row.source, "changed": changed,
        }  # fmt: skip
        if isinstance(row, Person):
            about["active"] = row.active
        said = {n: getattr(row, n) for n in _PERSONAL if hasattr(row, n)}
        return self._acting.event(about, said | _told_apart(row, before), at=now)


def state_of(one: Person) -> State:
    if one.deleted:
        return "deleted"
    return "active" if one.active else "inactive"


def inactive_names(people: Sequence[Person]) -> frozenset[str]:
    """Folded names under which nobody is let in: see ``identity.standing``."""
    there = {(p.source, folded(name)) for p in people if not p.deleted for name in p.names}
    return frozenset(
        name
        for p in people
        if not p.active
        for name in map(folded, p.names)
        if not p.deleted or (p.source, name) not in there
    )


def check_name(what: str, value: str) -> None:
    """Raises ``Refused`` for what is no plain, short name."""
    plain = value.isprintable() and value == value.strip()
    if not value or len(value) > LONGEST_NAME or not plain:
        raise Refused(f"{what} must be plain text of 1 to {LONGEST_NAME} characters.")


def _same_name(one: Person, other: Person) -> bool:
    """Two of one source that go by the same user name."""
    apart = one.id != other.id and one.source == other.source and not other.deleted
    return apart and folded(one.user_name) == folded(other.user_name)


def _dated(row: Row, before: Row | None, now: int) -> Row:
    created = before.created if before is not None else now
    return msgspec.structs.replace(row, created=created, learned=now)


def _released(row: Row, before: Row | None) -> frozenset[str]:
    """Names that are this person's no more."""
    if not isinstance(row, Person):
        return frozenset()
    had: frozenset[str] = frozenset()
    if isinstance(before, Person) and not before.deleted:
        had = before.names
    kept = {folded(name) for name in row.names} if not row.deleted else set()
    return frozenset(name for name in had if folded(name) not in kept)


def _told_apart(row: Row, before: Row | None) -> dict[str, list[str]]:
    """Which members or groups came and went."""
    field = "groups" if isinstance(row, Person) else "members"
    had: frozenset[str] = getattr(before, field, frozenset())
    has: frozenset[str] = getattr(row, field)
    said = {"joined": sorted(has - had), "left": sorted(had - has)}
    return {name: listed for name, listed in said.items() if listed}
