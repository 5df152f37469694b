"""Who is known to work here, in memory, for tests and simulations."""

import threading
from collections.abc import Sequence

import msgspec

from lockgate.model import Group, Person
from lockgate.model.person import folded
from lockgate.store.people import Done, News


class MemoryPeople:
    """The same contract as ``StoredPeople``."""

    def __init__(self) -> None:
        self._people: dict[str, Person] = {}
        self._groups: dict[str, Group] = {}
        self._tried: dict[str, int] = {}
        self._heard: dict[str, int] = {}
        self._version = 0
        self._lock = threading.Lock()

    def put(self, people: Sequence[Person] = (), groups: Sequence[Group] = ()) -> Done:
        """Write all of them, or none. Each must still have the version that it was read with."""
        rows: tuple[Person | Group, ...] = (*people, *groups)
        with self._lock:
            held = {row.id: row.version for row in self._rows()}
            if any(held.get(row.id, 0) != row.version for row in rows):
                return "changed"
            after = self._people | {one.id: one for one in people}
            standing = [(p.source, folded(p.user_name)) for p in after.values() if not p.deleted]
            if len(set(standing)) < len(standing):
                return "taken"
            self._version += 1
            for one in people:
                self._people[one.id] = msgspec.structs.replace(one, version=self._version)
            for group in groups:
                self._groups[group.id] = msgspec.structs.replace(group, version=self._version)
        return "done"

    def people(self) -> tuple[Person, ...]:
        """All, also the deleted, in the order they came to be known."""
        return tuple(sorted(self._people.values(), key=lambda p: (p.created, p.id)))

    def groups(self) -> tuple[Group, ...]:
        """All, also the deleted, in the order they came to be known."""
        return tuple(sorted(self._groups.values(), key=lambda g: (g.created, g.id)))

    def find(self, ids: Sequence[str]) -> tuple[Person | Group, ...]:
        """Those of these ids that there are, also the deleted; persons first."""
        return tuple(row for row in self._rows() if row.id in ids)

    def called(self, name: str) -> tuple[Person, ...]:
        """Whose user name is this but for case, or external id exactly; also the deleted."""
        return tuple(
            p
            for p in self.people()
            if name and (folded(p.user_name) == folded(name) or p.external_id == name)
        )

    def changed(self, since: int) -> tuple[int, News]:
        """What is newer than version ``since``."""
        with self._lock:
            people = tuple(p for p in self._people.values() if p.version > since)
            groups = tuple(g for g in self._groups.values() if g.version > since)
            return self._version, News(people, groups, dict(self._heard))

    def claim(self, source: str, now: int, every: int) -> bool:
        """Whether it is the caller's turn to read ``source``: nobody else's within ``every`` ms."""
        with self._lock:
            tried = self._tried.get(source)
            if tried is not None and 0 <= now - tried < every:
                return False
            self._tried[source] = now
            return True

    def hear(self, source: str, now: int) -> None:
        """All that ``source`` says, as of ``now``, is in the rows."""
        with self._lock:
            self._tried[source] = self._heard[source] = now

    def _rows(self) -> tuple[Person | Group, ...]:
        return (*self._people.values(), *self._groups.values())
