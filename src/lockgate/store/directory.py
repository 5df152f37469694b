"""Everybody who is known to work here, in memory, never older than the gateway can bear."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
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
    memberships: Mapping[str, frozenset[str]] = {}
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

    def groups_of(self, person: Person) -> frozenset[str]:
        """Names of all groups the person is in, as the person's source says."""
        return person.groups | self._held.memberships.get(person.id, frozenset())

    def heard(self, source: str) -> int:
        """When ``source`` was last read to its end: milliseconds; 0 for never."""
        return self._held.heard.get(source, 0)


def _joined(held: _Held, version: int, news: News) -> _Held:
    if version == held.version:
        return msgspec.structs.replace(held, heard=news.heard)
    people = {**held.people, **{one.id: one for one in news.people}}
    groups = {**held.groups, **{one.id: one for one in news.groups}}
    exact = _index((name, p) for p in people.values() for name in p.names)
    alike = _index((n, p) for p in people.values() for n in {folded(name) for name in p.names})
    return _Held(version, people, groups, exact, alike, _memberships(groups.values()), news.heard)


def _index(pairs: Iterable[tuple[str, Person]]) -> _Index:
    found: dict[str, tuple[Person, ...]] = {}
    for name, one in pairs:
        found[name] = (*found.get(name, ()), one)
    return found


def _memberships(groups: Iterable[Group]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for group in groups:
        if not group.deleted:
            for member in group.members:
                found[member].add(group.name)
    return {member: frozenset(names) for member, names in found.items()}
