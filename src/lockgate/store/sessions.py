"""Sessions that were ended before their time. A sealed session id needs no row while it lives."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine, delete, select

from lockgate.model import StoreDown
from lockgate.store.database import insert_into, reading, writing
from lockgate.store.failing import store_errors
from lockgate.store.feed import STALE_MS, Snapshot, bump, version_of
from lockgate.store.tables import ended_session

TOPIC = "ended_session"

SWEEP_MS = 60_000
"""How often those are forgotten that would be over anyway."""

Clock = Callable[[], int]
"""Milliseconds since the Unix epoch."""


class StoredSessions:
    """``ended`` answers from memory. Another process's endings are seen at the next ``refresh``.

    Whoever ends sessions one after the other keeps only this store's own thread busy, and nothing
    is read again for it.
    """

    def __init__(self, engine: Engine, clock: Clock, stale_ms: int = STALE_MS) -> None:
        self._engine = engine
        self._clock = clock
        self._snapshot: Snapshot[dict[str, int]] = Snapshot(self, {}, stale_ms)
        self._swept = 0
        self._lock = threading.Lock()
        """Held from a write until it is in memory, so that no refresh takes it for another's."""
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="lockgate-sessions")

    def refresh(self, now_ms: int) -> None:
        """Blocks. Call at the start and every 0.5 s; raises ``StoreDown``."""
        with self._lock:
            self._snapshot.refresh(now_ms)

    async def end(self, session_id: str, expires: int) -> None:
        """``expires``: when it would have ended anyway. Durable on return; raises ``StoreDown``."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._end, session_id, expires)

    def ended(self, session_id: str) -> bool:
        """Raises ``StoreDown`` when the copy is too old to say."""
        now = self._clock()
        if not self._snapshot.fresh(now):
            raise StoreDown("the ended sessions were not read lately")
        return self._snapshot.rows.get(session_id, now) > now

    def changed(self, since: int) -> tuple[int, dict[str, int]] | None:
        query = select(ended_session.c.id, ended_session.c.expires)
        with store_errors("cannot read the sessions"), reading(self._engine) as connection:
            version = version_of(connection, TOPIC)
            if version == since:
                return None
            return version, {row.id: row.expires for row in connection.execute(query)}

    def _end(self, session_id: str, expires: int) -> None:
        now = self._clock()
        with self._lock:
            held = self._snapshot.rows
            if session_id in held:
                return
            sweeping = abs(now - self._swept) >= SWEEP_MS
            with store_errors("cannot end the session"), writing(self._engine) as connection:
                if sweeping:
                    connection.execute(delete(ended_session).where(ended_session.c.expires <= now))
                row = insert_into(connection, ended_session).values(id=session_id, expires=expires)
                connection.execute(row.on_conflict_do_nothing())
                version = bump(connection, TOPIC)
            held[session_id] = expires
            self._snapshot.follow(version, now)
            if sweeping:
                self._swept = now
                for over in [i for i, e in held.items() if e <= now]:
                    del held[over]


class MemorySessions:
    """The same contract without a database."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ended: dict[str, int] = {}

    def refresh(self, now_ms: int) -> None:
        """Nothing to do: there is no other copy."""

    async def end(self, session_id: str, expires: int) -> None:
        now = self._clock()
        self._ended = {i: e for i, e in self._ended.items() if e > now}
        self._ended.setdefault(session_id, expires)

    def ended(self, session_id: str) -> bool:
        return session_id in self._ended
