"""Rates and places of all workers of a deployment, on PostgreSQL.

Calls that come while others are being asked for share the next transaction, so that their number
does not matter to the database. The tables are unlogged: what a crash of the server loses is what
every worker would have forgotten anyway.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from sqlalchemy import Engine

from lockgate.model import Call, Reservation, StoreDown
from lockgate.store.failing import cause_of
from lockgate.store.quota import QuotaLimits, holds
from lockgate.store.quota_rows import (
    LEASE_MS,
    Row,
    decode_places,
    encode_places,
    fresh,
    give,
    idle,
    take,
)

log = logging.getLogger("lockgate.store")

QUOTA_LOCK = 0x6C6F636B67617466
"""The advisory lock of whoever changes rows here: one after the other, in all workers."""
SWEEP_MS = 60_000

_TABLES = f"""
SELECT pg_advisory_xact_lock({QUOTA_LOCK});
CREATE UNLOGGED TABLE IF NOT EXISTS quota_bucket (
    key text PRIMARY KEY, tokens double precision NOT NULL, at bigint NOT NULL, places text NOT NULL
);
CREATE UNLOGGED TABLE IF NOT EXISTS quota_owner (
    id text PRIMARY KEY, node text NOT NULL, until bigint NOT NULL
);
"""
_LOCK = f"SELECT pg_advisory_xact_lock({QUOTA_LOCK})"
_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_READ = "SELECT key, tokens, at, places FROM quota_bucket WHERE key = ANY(%s)"
_OWNERS = "SELECT id FROM quota_owner WHERE until >= %s"
_WRITE = """
INSERT INTO quota_bucket (key, tokens, at, places)
SELECT * FROM unnest(%s::text[], %s::float8[], %s::bigint[], %s::text[])
ON CONFLICT (key) DO UPDATE
SET tokens = excluded.tokens, at = excluded.at, places = excluded.places
"""
_RENEW = """
INSERT INTO quota_owner (id, node, until) VALUES (%s, %s, %s)
ON CONFLICT (id) DO UPDATE SET until = excluded.until
"""


class Wish(msgspec.Struct):
    """One place to take, or (``limits`` is None) to give back."""

    key: str
    limits: QuotaLimits | None
    found: tuple[int, bool] = (0, False)


class Table:
    """The rows, for one thread. Every method blocks and raises ``StoreDown``."""

    def __init__(self, engine: Engine, node: str) -> None:
        """``node``: this worker. Whoever held that place before is gone."""
        self._engine = engine
        self._node = node
        self._owner = f"{node}/{secrets.token_hex(4)}"
        self._driver: Any = None
        self._alive: set[str] = set()
        self._limits = QuotaLimits(1, 1, 1)
        self._swept = 0
        self._began = False

    def carry_out(self, wishes: Sequence[Wish]) -> None:
        """All of them in one transaction, one after the other."""
        try:
            self._carry_out(wishes, sorted({wish.key for wish in wishes}))
        except self._engine.dialect.loaded_dbapi.Error as error:
            self.disconnect()
            raise StoreDown(f"cannot use the quota table: {cause_of(error)}") from error

    def renew(self) -> None:
        """Say that this worker lives. Call every ``RENEW_SECONDS``."""
        try:
            self._renew()
        except self._engine.dialect.loaded_dbapi.Error as error:
            self.disconnect()
            raise StoreDown(f"cannot renew the lease: {cause_of(error)}") from error

    def leave(self) -> None:
        """Nothing of this worker counts any more."""
        try:
            connection = self._connected()
            connection.execute("DELETE FROM quota_owner WHERE id = %s", (self._owner,))
            connection.commit()
        except (self._engine.dialect.loaded_dbapi.Error, StoreDown) as error:
            log.warning("the lease runs out by itself: %s", error)
        self.disconnect()

    def disconnect(self) -> None:
        lost, self._driver = self._driver, None
        if lost is not None:
            lost.close()

    def _carry_out(self, wishes: Sequence[Wish], keys: Sequence[str]) -> None:
        connection = self._connected()
        with connection.pipeline():
            connection.execute(_LOCK)
            clock, read = connection.execute(_NOW), connection.execute(_READ, (keys,))
            (now,) = clock.fetchone()
            rows = {key: Row(tokens, at, decode_places(p)) for key, tokens, at, p in read}
        if not self._alive.issuperset(who for row in rows.values() for who in row.places):
            self._learn_owners(connection, now)
        for wish in wishes:
            self._change(wish, rows, now)
        changed = [(k, r.tokens, r.at, encode_places(r.places).decode()) for k, r in rows.items()]
        columns = [list(column) for column in zip(*changed, strict=True)] or [[], [], [], []]
        with connection.pipeline():
            connection.execute(_WRITE, columns)
            connection.commit()

    def _change(self, wish: Wish, rows: dict[str, Row], now: int) -> None:
        row = rows.get(wish.key)
        if wish.limits is None:
            if row is not None:
                give(row, self._owner)
            return
        self._limits = wish.limits
        if row is None:
            row = rows[wish.key] = fresh(wish.limits, now)
        wish.found = take(row, self._owner, wish.limits, now, self._alive)

    def _renew(self) -> None:
        connection = self._connected()
        connection.execute(_LOCK)
        (now,) = connection.execute(_NOW).fetchone()
        if not self._began:
            connection.execute("DELETE FROM quota_owner WHERE node = %s", (self._node,))
            self._began = True
        connection.execute("DELETE FROM quota_owner WHERE until < %s", (now,))
        connection.execute(_RENEW, (self._owner, self._node, now + LEASE_MS))
        self._learn_owners(connection, now)
        if abs(now - self._swept) >= SWEEP_MS:
            self._swept = now
            self._sweep(connection, now)
        connection.commit()

    def _learn_owners(self, connection: Any, now: int) -> None:
        self._alive = {id for (id,) in connection.execute(_OWNERS, (now,))} | {self._owner}

    def _sweep(self, connection: Any, now: int) -> None:
        over = []
        for key, tokens, at, p in connection.execute("SELECT * FROM quota_bucket"):
            places = {who: n for who, n in decode_places(p).items() if who in self._alive}
            if idle(Row(tokens, at, places), self._limits, now):
                over.append(key)
        connection.execute("DELETE FROM quota_bucket WHERE key = ANY(%s)", (over,))

    def _connected(self) -> Any:
        if self._driver is None:
            pooled = self._engine.raw_connection()
            pooled.detach()  # the pool gives it to nobody else
            self._driver = pooled.dbapi_connection
            self._driver.execute(_TABLES)
            self._driver.commit()
        return self._driver


class _Part:
    """What one request takes, for all its parts."""

    def __init__(self, key: str, call: str, taking: "asyncio.Task[Reservation]") -> None:
        self.key = key
        self.call = call
        self.taking = taking
        self.users = 0


_Waiting = tuple[Wish, "asyncio.Future[tuple[int, bool]] | None"]
"""What is to be done, and who waits for it."""


class SharedReservations:
    """Satisfies ``pipeline.ports.Source`` for ``model.QUOTA``, as ``quota.Reservations`` does.

    Belongs to the event loop that uses it; call ``renew`` before, and then every
    ``RENEW_SECONDS``.
    """

    def __init__(self, limits: QuotaLimits, engine: Engine, node: str) -> None:
        self.limits = limits
        """May be replaced while calls run: the next call is measured by the new ones."""
        self._table = Table(engine, node)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lockgate-quota")
        self._waiting: list[_Waiting] = []
        self._working: asyncio.Task[None] | None = None
        self._requests: dict[str, _Part] = {}
        self._places: dict[int, _Part] = {}
        self._closed = False

    async def learn(self, call: Call) -> Reservation:
        """See ``quota.Reservations.learn``. Raises ``StoreDown``. Cancelling it gives back."""
        part = self._requests.get(call.part_of)
        if part is None or part.key != call.principal.id:
            taking = asyncio.ensure_future(self._take(call.principal.id, self.limits))
            part = self._requests[call.id] = _Part(call.principal.id, call.id, taking)
        part.users += 1
        try:
            taken = await asyncio.shield(part.taking)
        except BaseException:
            self._leave(part)
            raise
        self._places[id(taken)] = part
        return taken

    def settle(self, value: Reservation) -> None:
        """See ``quota.Reservations.settle``."""
        part = self._places.get(id(value))
        if part is not None:
            self._leave(part)

    async def renew(self) -> None:
        """Say that this worker lives. Raises ``StoreDown``."""
        await self._in_thread(self._table.renew)

    async def close(self) -> None:
        """Nothing of this worker counts any more."""
        self._closed = True
        if self._working is not None:
            await asyncio.wait({self._working})
        await asyncio.get_running_loop().run_in_executor(self._thread, self._table.leave)
        self._thread.shutdown(wait=False)

    def _leave(self, part: _Part) -> None:
        part.users -= 1
        if part.users:
            return
        if self._requests.get(part.call) is part:
            del self._requests[part.call]
        part.taking.add_done_callback(self._give_back)

    def _give_back(self, taking: "asyncio.Task[Reservation]") -> None:
        if taking.cancelled() or taking.exception():
            return
        taken = taking.result()
        self._places.pop(id(taken), None)
        if holds(taken) and not self._closed:
            self._put(Wish(taken.key, None), None)

    async def _take(self, key: str, limits: QuotaLimits) -> Reservation:
        answer: asyncio.Future[tuple[int, bool]] = asyncio.get_running_loop().create_future()
        self._put(Wish(key, limits), answer)
        wait, room = await answer
        return Reservation(key, wait == 0, room, limits.per_minute, limits.running, wait)

    def _put(self, wish: Wish, answer: "asyncio.Future[tuple[int, bool]] | None") -> None:
        self._waiting.append((wish, answer))
        if self._working is None or self._working.done():
            self._working = asyncio.ensure_future(self._work())

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._in_thread(self._table.carry_out, [wish for wish, _ in batch])
            except StoreDown as down:
                self._fail(batch, down)
                if not any(answer for _, answer in self._waiting):
                    return
            for wish, answer in batch:
                if answer is not None and not answer.done():
                    answer.set_result(wish.found)

    def _fail(self, batch: "list[_Waiting]", down: StoreDown) -> None:
        """Who waits is told; what is to be given back is tried again with the next."""
        kept = [(wish, answer) for wish, answer in batch if answer is None]
        for _, answer in batch:
            if answer is not None and not answer.done():
                answer.set_exception(StoreDown(str(down)))
        self._waiting = kept + self._waiting

    async def _in_thread(self, work: Any, *given: Any) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, work, *given)
