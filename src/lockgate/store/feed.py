"""One number a topic that every change raises, so that each worker's copy knows when it is old."""

import threading
from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Connection, Engine, func, select

from lockgate.store.database import insert_into, reading
from lockgate.store.failing import store_errors
from lockgate.store.tables import event, feed

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

STALE_MS = 2_000
"""How old a copy may be before what depends on it closes."""


CHANNEL = "lockgate_feed"
"""Where PostgreSQL tells of a change (NOTIFY). A channel belongs to one database."""


class Versioned(Protocol[T_co]):
    """Rows that are read whole. Raises ``StoreDown``."""

    def changed(self, since: int) -> tuple[int, T_co] | None:
        """The version and the rows of one moment; None while the version is ``since``."""
        ...


class Snapshot(Generic[T]):
    """A worker's own copy, so that a lookup costs no I/O. Refreshed from any thread."""

    def __init__(self, rows: Versioned[T], empty: T, stale_ms: int = STALE_MS) -> None:
        self._rows = rows
        self._stale_ms = stale_ms
        self._held: tuple[int, T] = (-1, empty)
        self._good: int | None = None
        self._lock = threading.Lock()

    def refresh(self, now: int) -> None:
        """Call often (every 0.5 s). ``now``: milliseconds, read before the call.

        Raises ``StoreDown``; the copy then keeps its age. Of two reads at the same time the newer
        one stays, whichever ends last.
        """
        found = self._rows.changed(self._held[0])
        with self._lock:
            if found is not None and found[0] > self._held[0]:
                self._held = found
            self._good = now

    def follow(self, version: int, now: int) -> None:
        """What this worker wrote as ``version`` is in the rows already. Where another process wrote
        between, nothing changes: the next ``refresh`` reads all."""
        with self._lock:
            if version == self._held[0] + 1:
                self._held = (version, self._held[1])
                self._good = now

    def fresh(self, now: int) -> bool:
        """False also where the clock was set back by more than the limit: the age is unknown."""
        return self._good is not None and abs(now - self._good) <= self._stale_ms

    @property
    def version(self) -> int:
        """-1 before the first refresh."""
        return self._held[0]

    @property
    def rows(self) -> T:
        return self._held[1]


JOURNAL = "journal"
"""What pages know the journal by. It is no topic of the feed: its own numbers rise."""


class StoredFeed:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def versions(self) -> Mapping[str, int]:
        """Of all topics, and the journal's newest number. Blocks; raises ``StoreDown``."""
        with store_errors("cannot read what changed"), reading(self._engine) as connection:
            found = {row.topic: row.version for row in connection.execute(select(feed))}
            newest = connection.scalar(select(func.max(event.c.seq))) or 0
        return {**found, JOURNAL: newest}


def version_of(connection: Connection, topic: str) -> int:
    """0 for a topic that never changed."""
    return connection.scalar(select(feed.c.version).where(feed.c.topic == topic)) or 0


def bump(connection: Connection, topic: str) -> int:
    """Say in this transaction that the topic's rows changed; whoever listens is told at its end.
    The new version."""
    first = insert_into(connection, feed).values(topic=topic, version=1)
    raised = {"version": feed.c.version + 1}
    put = first.on_conflict_do_update(index_elements=["topic"], set_=raised)
    version: int = connection.scalars(put.returning(feed.c.version)).one()
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, topic)))
    return version
