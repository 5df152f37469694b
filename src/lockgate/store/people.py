"""Who is known to work here, in the database."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
import orjson
from sqlalchemy import Connection, Engine, Row, Select, Table, or_, select

from lockgate.model import Group, Person
from lockgate.model.person import folded
from lockgate.store.database import insert_into, reading, writing
from lockgate.store.failing import store_errors
from lockgate.store.feed import bump, version_of
from lockgate.store.tables import person, person_group, person_source

TOPIC = "person"

Done = Literal["done", "changed", "taken"]
"""``changed``: a row is not any more what it was when it was read. ``taken``: another one of the
same source has the name. Nothing was written then."""

_AT_ONCE = 500
"""Rows a statement names: SQLite bounds the number of its variables."""


class News(msgspec.Struct, frozen=True):
    """Rows that changed, the deleted too, and when each source that is read was last heard."""

    people: tuple[Person, ...] = ()
    groups: tuple[Group, ...] = ()
    heard: Mapping[str, int] = {}


class StoredPeople:
    """Blocks. Everything raises ``StoreDown``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, people: Sequence[Person] = (), groups: Sequence[Group] = ()) -> Done:
        """Write all of them, or none. Each must still have the version that it was read with."""
        rows: tuple[Person | Group, ...] = (*people, *groups)
        with store_errors("cannot write people"), writing(self._engine) as connection:
            held = _versions(connection, person, [p.id for p in people])
            held |= _versions(connection, person_group, [g.id for g in groups])
            if any(held.get(row.id, 0) != row.version for row in rows):
                return "changed"
            if _taken(connection, people):
                return "taken"
            version = bump(connection, TOPIC)
            _write(connection, person, [_person_row(p, version) for p in people])
            _write(connection, person_group, [_group_row(g, version) for g in groups])
        return "done"

    def people(self) -> tuple[Person, ...]:
        """All, also the deleted, in the order they came to be known."""
        query = select(person).order_by(person.c.created, person.c.id)
        with store_errors("cannot read people"), reading(self._engine) as connection:
            return tuple(_person(row) for row in connection.execute(query))

    def groups(self) -> tuple[Group, ...]:
        """All, also the deleted, in the order they came to be known."""
        query = select(person_group).order_by(person_group.c.created, person_group.c.id)
        with store_errors("cannot read groups"), reading(self._engine) as connection:
            return tuple(_group(row) for row in connection.execute(query))

    def find(self, ids: Sequence[str]) -> tuple[Person | Group, ...]:
        """Those of these ids that there are, also the deleted; persons first."""
        found: list[Person | Group] = []
        with store_errors("cannot read people"), reading(self._engine) as connection:
            for some in _slices(ids):
                query = select(person).where(person.c.id.in_(some))
                found += [_person(row) for row in connection.execute(query)]
            for some in _slices(ids):
                query = select(person_group).where(person_group.c.id.in_(some))
                found += [_group(row) for row in connection.execute(query)]
        return tuple(found)

    def called(self, name: str) -> tuple[Person, ...]:
        """Whose user name is this but for case, or external id exactly; also the deleted."""
        if not name:
            return ()
        alike = or_(person.c.folded == folded(name), person.c.external_id == name)
        query = select(person).where(alike).order_by(person.c.created, person.c.id)
        with store_errors("cannot read people"), reading(self._engine) as connection:
            return tuple(_person(row) for row in connection.execute(query))

    def changed(self, since: int) -> tuple[int, News]:
        """What is newer than version ``since``."""
        with store_errors("cannot read people"), reading(self._engine) as connection:
            version = version_of(connection, TOPIC)
            heard = {r.name: r.heard for r in connection.execute(select(person_source))}
            if version == since:
                return version, News(heard=heard)
            newer = select(person).where(person.c.version > since)
            people = tuple(_person(row) for row in connection.execute(newer))
            newer = select(person_group).where(person_group.c.version > since)
            groups = tuple(_group(row) for row in connection.execute(newer))
        return version, News(people, groups, heard)

    def claim(self, source: str, now: int, every: int) -> bool:
        """Whether it is the caller's turn to read ``source``: nobody else's within ``every`` ms."""
        query = select(person_source).where(person_source.c.name == source)
        with store_errors("cannot claim a turn"):
            with reading(self._engine) as connection:  # most looks find that it is not due
                if _tried_lately(connection.execute(query).one_or_none(), now, every):
                    return False
            return self._claim(query, source, now, every)

    def _claim(self, query: Select[Any], source: str, now: int, every: int) -> bool:
        with writing(self._engine) as connection:
            found = connection.execute(query).one_or_none()
            if _tried_lately(found, now, every):
                return False
            heard = found.heard if found is not None else 0
            _write(
                connection, person_source, [{"name": source, "tried": now, "heard": heard}], "name"
            )
        return True

    def hear(self, source: str, now: int) -> None:
        """All that ``source`` says, as of ``now``, is in the rows."""
        row = {"name": source, "tried": now, "heard": now}
        with store_errors("cannot keep what was heard"), writing(self._engine) as connection:
            _write(connection, person_source, [row], "name")


def _tried_lately(found: Row[Any] | None, now: int, every: int) -> bool:
    """False also where the clock was set back."""
    return found is not None and 0 <= now - found.tried < every


def _versions(connection: Connection, table: Table, ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in _slices(ids):
        query = select(table.c.id, table.c.version).where(table.c.id.in_(some))
        found.update((row.id, row.version) for row in connection.execute(query))
    return found


def _taken(connection: Connection, people: Sequence[Person]) -> bool:
    """Whether another one who is not deleted, written now or before, has the name of one."""
    wanted: dict[tuple[str, str], str] = {}
    for one in people:
        if (
            not one.deleted
            and wanted.setdefault((one.source, folded(one.user_name)), one.id) != one.id
        ):
            return True
    written = {one.id for one in people}
    for some in _slices([name for _, name in wanted]):
        query = select(person.c.id, person.c.source, person.c.folded).where(
            person.c.folded.in_(some), person.c.deleted == 0
        )
        for row in connection.execute(query):
            if row.id not in written and (row.source, row.folded) in wanted:
                return True
    return False


def _write(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], key: str = "id"
) -> None:
    if not rows:
        return
    first = insert_into(connection, table)
    set_ = {c.name: first.excluded[c.name] for c in table.columns if c.name != key}
    connection.execute(first.on_conflict_do_update(index_elements=[key], set_=set_), list(rows))


def _slices(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE))


def _person_row(one: Person, version: int) -> dict[str, Any]:
    return {
        "id": one.id, "source": one.source, "user_name": one.user_name,
        "folded": folded(one.user_name), "external_id": one.external_id,
        "groups": _listed(one.groups), "active": one.active, "created": one.created,
        "learned": one.learned, "deleted": one.deleted, "version": version,
        "employee": one.employee,
    }  # fmt: skip


def _person(row: Row[Any]) -> Person:
    return Person(
        row.id, row.source, row.user_name, row.external_id, row.active,
        frozenset(orjson.loads(row.groups)), row.created, row.learned, row.deleted, row.version,
        row.employee,
    )  # fmt: skip


def _group_row(one: Group, version: int) -> dict[str, Any]:
    return {
        "id": one.id, "source": one.source, "name": one.name, "external_id": one.external_id,
        "members": _listed(one.members), "created": one.created, "learned": one.learned,
        "deleted": one.deleted, "version": version,
    }  # fmt: skip


def _group(row: Row[Any]) -> Group:
    return Group(
        row.id, row.source, row.name, row.external_id, frozenset(orjson.loads(row.members)),
        row.created, row.learned, row.deleted, row.version,
    )  # fmt: skip


def _listed(names: frozenset[str]) -> str:
    return orjson.dumps(sorted(names)).decode()
