"""Approvals on record, each used once."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, Engine, insert, select, update

from lockgate.model import Approval, StoreDown
from lockgate.store.database import reading, writing
from lockgate.store.failing import store_errors
from lockgate.store.feed import STALE_MS, Snapshot, bump, version_of
from lockgate.store.tables import approval

TOPIC = "approval"

Clock = Callable[[], int]
"""Milliseconds since the Unix epoch."""

_Standing = Mapping[str, tuple[Approval, ...]]


class StoredApprovals:
    """Satisfies ``pipeline.ports.Approvals``.

    ``standing`` answers from memory, as every call asks it. An approval given by another process is
    seen at the next ``refresh``. Whether one may be used is only ever decided by the database.
    """

    def __init__(self, engine: Engine, clock: Clock, stale_ms: int = STALE_MS) -> None:
        self._engine = engine
        self._clock = clock
        self._snapshot: Snapshot[_Standing] = Snapshot(self, {}, stale_ms)

    def refresh(self, now_ms: int) -> None:
        """Blocks. Call every 0.5 s; raises ``StoreDown``."""
        self._snapshot.refresh(now_ms)

    def standing(self, call_digest: str) -> tuple[Approval, ...]:
        """Unused and unexpired. Raises ``StoreDown`` when the copy is too old to say."""
        now = self._clock()
        if not self._snapshot.fresh(now):
            raise StoreDown("the approvals were not read lately")
        return _unexpired(self._snapshot.rows.get(call_digest, ()), now)

    def give(self, given: Approval, call_digest: str) -> None:
        """Blocks. Raises ``StoreDown``, also for an id given before."""
        row = {**msgspec.structs.asdict(given), "call": call_digest}
        with store_errors("cannot record the approval"), writing(self._engine) as connection:
            connection.execute(insert(approval).values(**row))
            bump(connection, TOPIC)
        self.refresh(self._clock())

    async def consume(self, used: Sequence[Approval]) -> bool:
        """Mark all as used, or none. Raises ``StoreDown``."""
        return await asyncio.to_thread(self._consume, used) if used else True

    def changed(self, since: int) -> tuple[int, _Standing] | None:
        with store_errors("cannot read the approvals"), reading(self._engine) as connection:
            version = version_of(connection, TOPIC)
            return None if version == since else (version, _read(connection, self._clock()))

    def _consume(self, used: Sequence[Approval]) -> bool:
        now = self._clock()
        with store_errors("cannot use the approval"):
            try:
                with writing(self._engine) as connection:
                    for one in used:
                        _use(connection, one.id, now)
                    bump(connection, TOPIC)
            except _NotThere:
                return False
        self.refresh(now)
        return True


class MemoryApprovals:
    """The same contract without a database."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._standing: dict[str, tuple[str, Approval]] = {}
        self._ids: set[str] = set()
        self._lock = threading.Lock()

    def refresh(self, now_ms: int) -> None:
        """Nothing to do: there is no other copy."""

    def standing(self, call_digest: str) -> tuple[Approval, ...]:
        found = tuple(a for digest, a in self._standing.values() if digest == call_digest)
        return _unexpired(found, self._clock())

    def give(self, given: Approval, call_digest: str) -> None:
        """Raises ``StoreDown`` for an id given before."""
        with self._lock:
            if given.id in self._ids:
                raise StoreDown("cannot record the approval: its id is taken")
            self._ids.add(given.id)
            self._standing[given.id] = (call_digest, given)

    async def consume(self, used: Sequence[Approval]) -> bool:
        """Mark all as used, or none."""
        now = self._clock()
        with self._lock:
            ids = {one.id for one in used}
            live = {i for i in ids if i in self._standing and now < self._standing[i][1].expires}
            if len(live) < len(used):
                return False
            for i in ids:
                del self._standing[i]
            return True


class _NotThere(Exception):
    """Used, expired or never given: rolls the transaction back."""


def _use(connection: Connection, approval_id: str, now: int) -> None:
    live = approval.c.used_at.is_(None) & (approval.c.expires > now)
    marked = update(approval).where(approval.c.id == approval_id, live).values(used_at=now)
    if connection.execute(marked).rowcount != 1:
        raise _NotThere


def _read(connection: Connection, now: int) -> _Standing:
    live = approval.c.used_at.is_(None) & (approval.c.expires > now)
    found: dict[str, tuple[Approval, ...]] = {}
    for row in connection.execute(select(approval).where(live).order_by(approval.c.id)):
        one = Approval(row.id, row.binding, row.factor, row.approver, row.expires)
        found[row.call] = (*found.get(row.call, ()), one)
    return found


def _unexpired(found: tuple[Approval, ...], now: int) -> tuple[Approval, ...]:
    return tuple(a for a in found if now < a.expires)
