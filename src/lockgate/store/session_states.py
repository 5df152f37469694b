"""What clients set in their sessions: durable, and in every worker within two seconds."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
from sqlalchemy import Connection, Engine, delete, select

from lockgate.model import StoreDown
from lockgate.model.session import SessionState
from lockgate.store.database import insert_into, reading, writing
from lockgate.store.failing import store_errors
from lockgate.store.feed import STALE_MS, Snapshot, bump, version_of
from lockgate.store.tables import session_state

TOPIC = "session_state"

SWEEP_MS = 60_000
"""How often the states of sessions that are over are forgotten."""

Clock = Callable[[], int]
"""Milliseconds since the Unix epoch."""

Change = Callable[[SessionState], SessionState]

_NOTHING = SessionState()
_decode = msgspec.json.Decoder(SessionState).decode
_Held = dict[str, tuple[int, SessionState]]
"""When each expires, and what it is."""


class StoredSessionStates:
    """Satisfies ``pipeline.sessions.SessionStates``. ``load`` answers from memory.

    Only rows that changed are read again, whoever wrote them.
    """

    def __init__(self, engine: Engine, clock: Clock, stale_ms: int = STALE_MS) -> None:
        self._engine = engine
        self._clock = clock
        self._held: _Held = {}
        self._snapshot: Snapshot[_Held] = Snapshot(self, self._held, stale_ms)
        self._swept = 0
        self._lock = threading.Lock()
        """Held from a write until it is in memory, so that no refresh puts an older row over it."""
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="lockgate-states")

    def refresh(self, now_ms: int) -> None:
        """Blocks. Call at the start and every 0.5 s; raises ``StoreDown``."""
        with self._lock:
            self._snapshot.refresh(now_ms)

    async def renew(self) -> None:
        """What others wrote is known on return; raises ``StoreDown``."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self.refresh, self._clock())

    async def change(self, session_id: str, change: Change, expires: int) -> SessionState:
        """Of what is there at that moment, whoever wrote it. ``expires``: when the session is over.
        Durable on return; raises ``StoreDown``."""
        loop = asyncio.get_running_loop()
        made = loop.run_in_executor(self._writer, self._change, session_id, change, expires)
        return await made

    def load(self, session_id: str) -> SessionState:
        """Raises ``StoreDown`` when the copy is too old to say."""
        now = self._clock()
        if not self._snapshot.fresh(now):
            raise StoreDown("the states of sessions were not read lately")
        expires, state = self._held.get(session_id, (now, _NOTHING))
        return state if now < expires else _NOTHING

    def changed(self, since: int) -> tuple[int, _Held] | None:
        with store_errors("cannot read the states of sessions"), reading(self._engine) as reader:
            version = version_of(reader, TOPIC)
            if version == since:
                return None
            self._held.update(_read(reader, since))
            return version, self._held

    def _change(self, session_id: str, change: Change, expires: int) -> SessionState:
        now = self._clock()
        with self._lock:
            sweeping = abs(now - self._swept) >= SWEEP_MS
            with store_errors("cannot keep the state"), writing(self._engine) as writer:
                if sweeping:
                    writer.execute(delete(session_state).where(session_state.c.expires <= now))
                version = bump(writer, TOPIC)  # from here on no other worker changes anything
                state = change(_read_one(writer, session_id, now))
                _put(writer, session_id, version, expires, state)
            self._held[session_id] = (expires, state)
            self._snapshot.follow(version, now)
            if sweeping:
                self._swept = now
                for over in [i for i, (e, _) in self._held.items() if e <= now]:
                    del self._held[over]
            return state


class MemorySessionStates:
    """The same contract without a database."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: _Held = {}

    def refresh(self, now_ms: int) -> None:
        """Nothing to do: there is no other copy."""

    async def renew(self) -> None:
        """Nothing to do either."""

    async def change(self, session_id: str, change: Change, expires: int) -> SessionState:
        now = self._clock()
        self._held = {i: (e, s) for i, (e, s) in self._held.items() if e > now}
        state = change(self.load(session_id))
        self._held[session_id] = (expires, state)
        return state

    def load(self, session_id: str) -> SessionState:
        expires, state = self._held.get(session_id, (0, _NOTHING))
        return state if self._clock() < expires else _NOTHING


def _put(
    writer: Connection, session_id: str, version: int, expires: int, state: SessionState
) -> None:
    values = {"version": version, "expires": expires, "state": msgspec.json.encode(state)}
    row = insert_into(writer, session_state).values(id=session_id, **values)
    writer.execute(row.on_conflict_do_update(index_elements=["id"], set_=values))


def _read_one(reader: Connection, session_id: str, now: int) -> SessionState:
    mine = select(session_state).where(session_state.c.id == session_id)
    row = reader.execute(mine).one_or_none()
    return _decode(row.state) if row is not None and now < row.expires else _NOTHING


def _read(reader: Connection, since: int) -> _Held:
    newer = select(session_state).where(session_state.c.version > since)
    return {row.id: (row.expires, _decode(row.state)) for row in reader.execute(newer)}
