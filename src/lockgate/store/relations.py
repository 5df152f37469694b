"""Who stands in which relation to what: the lead of a care team, the owner of an account."""

import threading
from collections.abc import Iterable

import msgspec
from sqlalchemy import Engine, delete, insert, select

from lockgate.model.relation import Tie
from lockgate.store.database import reading, writing
from lockgate.store.failing import store_errors
from lockgate.store.feed import bump, version_of
from lockgate.store.standing import Related
from lockgate.store.tables import relation

TOPIC = "relation"


class StoredRelations:
    """Blocks. Everything raises ``StoreDown``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def replace(self, source: str, ties: Iterable[Tie]) -> int:
        """All that ``source`` says, from now on. How many there are."""
        rows = [msgspec.structs.asdict(tie) | {"source": source} for tie in sorted(set(ties))]
        with store_errors("cannot record the relations"), writing(self._engine) as connection:
            connection.execute(delete(relation).where(relation.c.source == source))
            if rows:
                connection.execute(insert(relation), rows)
            bump(connection, TOPIC)
        return len(rows)

    def changed_relations(self, since: int) -> tuple[int, Related] | None:
        """For ``feed.Snapshot``."""
        with store_errors("cannot read the relations"), reading(self._engine) as connection:
            version = version_of(connection, TOPIC)
            if version == since:
                return None
            columns = (relation.c.entity, relation.c.relation, relation.c.who)
            return version, by_entity(Tie(*row) for row in connection.execute(select(*columns)))


class MemoryRelations:
    """The same contract without a database."""

    def __init__(self) -> None:
        self._sources: dict[str, frozenset[Tie]] = {}
        self._version = 0
        self._lock = threading.Lock()

    def replace(self, source: str, ties: Iterable[Tie]) -> int:
        with self._lock:
            self._sources[source] = frozenset(ties)
            self._version += 1
            return len(self._sources[source])

    def changed_relations(self, since: int) -> tuple[int, Related] | None:
        if since == self._version:
            return None
        return self._version, by_entity(tie for ties in self._sources.values() for tie in ties)


def by_entity(ties: Iterable[Tie]) -> Related:
    found: dict[tuple[str, str], frozenset[str]] = {}
    for tie in ties:
        place = (tie.entity, tie.relation)
        found[place] = found.get(place, frozenset()) | {tie.who}
    return found
