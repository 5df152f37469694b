"""Everybody who is known to work here, in memory, never older than the gateway can bear."""

import threading
from collections.abc import Callable, Mapping, Set
from typing import Protocol

import msgspec

from lockgate.model import Group, Person
from lockgate.model.person import folded
from lockgate.store.feed import STALE_MS
from lockgate.store.people import News

_Index = Mapping[str, tuple[Person, ...]]


class PeopleRows(Protocol):
    """``StoredPeople`` or ``MemoryPeople``."""

    def changed(self, since: int) -> tuple[int, News]: ...


class _Held(msgspec.Struct, frozen=True):
    """One moment, replaced whole."""

    version: int = -1
    people: Mapping[str, Person] = {}
    groups: Mapping[str, Group] = {}
    named: _Index = {}
    alike: _Index = {}
    employees: _Index = {}
    memberships: Mapping[str, frozenset[str]] = {}
    """Ids of groups, by that of the person."""
    heard: Mapping[str, int] = {}


class Directory:
    """Satisfies ``identity.standing.PeopleBook``. Only rows that changed are read again."""

    def __init__(self, rows: PeopleRows, stale_ms: int = STALE_MS) -> None:
        self._rows = rows
        self._stale_ms = stale_ms
        self._held = _Held()
        self._good: int | None = None
        self._lock = threading.Lock()

    def refresh(self, now_ms: int) -> None:
        """Blocks. Call every 0.5 s, from any thread; raises ``StoreDown``."""
        with self._lock:
            held = self._held
            version, news = self._rows.changed(held.version)
            self._held = _joined(held, version, news)
            self._good = now_ms

    def fresh(self, now_ms: int) -> bool:
        """False also where the clock was set back by more than the limit: the age is unknown."""
        return self._good is not None and abs(now_ms - self._good) <= self._stale_ms

    @property
    def version(self) -> int:
        return self._held.version

    def named(self, name: str) -> tuple[Person, ...]:
        """Whose user name or external id is exactly this; also who is inactive or deleted."""
        return self._held.named.get(name, ())

    def alike(self, name: str) -> tuple[Person, ...]:
        """Whose user name or external id differs from this at most in case."""
        return self._held.alike.get(folded(name), ())

    def employed(self, number: str) -> tuple[Person, ...]:
        """Who has this employee number, but for case; also who is inactive or deleted."""
        return self._held.employees.get(folded(number), ()) if number else ()

    def groups_of(self, person: Person) -> frozenset[str]:
        """Names of all groups the person is in, as the person's source says."""
        held = self._held
        return person.groups | {held.groups[id].name for id in held.memberships.get(person.id, ())}

    def heard(self, source: str) -> int:
        """When ``source`` was last read to its end: milliseconds; 0 for never."""
        return self._held.heard.get(source, 0)


def _joined(held: _Held, version: int, news: News) -> _Held:
    """Only what changed is worked on: there may be many who did not."""
    if version == held.version:
        return msgspec.structs.replace(held, heard=news.heard)
    named, alike, employees = dict(held.named), dict(held.alike), dict(held.employees)
    for one in news.people:
        before = held.people.get(one.id)
        _replace(named, before, one, _exactly)
        _replace(alike, before, one, _without_case)
        _replace(employees, before, one, _employee)
    memberships = dict(held.memberships)
    for group in news.groups:
        _rejoin(memberships, held.groups.get(group.id), group)
    people = {**held.people, **{one.id: one for one in news.people}}
    groups = {**held.groups, **{one.id: one for one in news.groups}}
    return _Held(version, people, groups, named, alike, employees, memberships, news.heard)


def _replace(
    index: dict[str, tuple[Person, ...]],
    before: Person | None,
    one: Person,
    names: Callable[[Person], Set[str]],
) -> None:
    for name in names(before) if before is not None else ():
        index[name] = tuple(other for other in index[name] if other.id != one.id)
    for name in names(one):
        index[name] = (*index.get(name, ()), one)


def _exactly(one: Person) -> Set[str]:
    return one.names


def _without_case(one: Person) -> Set[str]:
    return {folded(name) for name in one.names}


def _employee(one: Person) -> Set[str]:
    return {folded(one.employee)} - {""}


def _rejoin(memberships: dict[str, frozenset[str]], before: Group | None, group: Group) -> None:
    had = before.members if before is not None and not before.deleted else frozenset()
    has = group.members if not group.deleted else frozenset()
    for member in had - has:
        memberships[member] -= {group.id}
    for member in has - had:
        memberships[member] = memberships.get(member, frozenset()) | {group.id}
