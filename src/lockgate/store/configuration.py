"""Which configuration the workers of one host took, so that each can say where it differs."""

from collections.abc import Callable

from sqlalchemy import Connection, Engine, select

from lockgate.store.database import insert_into, reading, writing
from lockgate.store.failing import store_errors
from lockgate.store.feed import STALE_MS, Snapshot, bump, version_of
from lockgate.store.tables import configuration

TOPIC = "configuration"

Clock = Callable[[], int]
"""Milliseconds since the Unix epoch."""

_Taken = tuple[str, int]
"""Digest, and when it was taken."""


class StoredConfiguration:
    """The one that a worker of ``host`` took last."""

    def __init__(self, engine: Engine, host: str, clock: Clock, stale_ms: int = STALE_MS) -> None:
        self._engine = engine
        self._host = host
        self._clock = clock
        self._stale_ms = stale_ms
        self._said = ""
        self._snapshot: Snapshot[_Taken] = Snapshot(self, ("", 0), stale_ms)

    def refresh(self, now_ms: int) -> None:
        """Blocks. Call every 0.5 s; raises ``StoreDown``."""
        self._snapshot.refresh(now_ms)

    def say(self, digest: str) -> None:
        """This worker has taken it. Blocks; writes only what is new; raises ``StoreDown``.

        What is said again changes nothing: another worker may have gone on to a newer one.
        """
        if self._said == digest:
            return
        values = {"digest": digest, "taken": self._clock()}
        with store_errors("cannot tell the other workers"), writing(self._engine) as writer:
            if _read(writer, self._host)[0] != digest:
                row = insert_into(writer, configuration).values(host=self._host, **values)
                writer.execute(row.on_conflict_do_update(index_elements=["host"], set_=values))
                bump(writer, TOPIC)
        self._said = digest
        self.refresh(self._clock())

    @property
    def taken(self) -> _Taken:
        """As of the last ``refresh``; empty where nobody took one yet."""
        return self._snapshot.rows

    def differs(self, digest: str, now: int) -> bool:
        """Whether another worker took another one so long ago that this one should have it too."""
        last, at = self.taken
        return last not in ("", digest) and abs(now - at) > self._stale_ms

    def changed(self, since: int) -> tuple[int, _Taken] | None:
        with store_errors("cannot read the configuration taken"), reading(self._engine) as reader:
            version = version_of(reader, TOPIC)
            return None if version == since else (version, _read(reader, self._host))


def _read(connection: Connection, host: str) -> _Taken:
    query = select(configuration).where(configuration.c.host == host)
    row = connection.execute(query).one_or_none()
    return (row.digest, row.taken) if row else ("", 0)
