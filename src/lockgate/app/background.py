"""What a worker does besides answering: its copies stay current, what was counted is recorded."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from lockgate.app import memory
from lockgate.app.announcing import Announcing
from lockgate.app.departures import DEPARTED_SECONDS, Departures
from lockgate.app.reload import Reloader
from lockgate.app.secret_watch import LOOK_SECONDS
from lockgate.app.stamps import now_ms
from lockgate.app.supervision import every
from lockgate.app.wiring import Plant
from lockgate.approval.leases import RENEW_SECONDS as LEASES_SECONDS
from lockgate.model import AuditEvent, StoreDown
from lockgate.store.pushes import Pushes, pushes_of
from lockgate.store.quota_rows import RENEW_SECONDS

log = logging.getLogger("lockgate.background")

T = TypeVar("T")

CREDENTIALS = frozenset({"api_key", "revocation"})
"""Topics whose rows decide who may come in."""

REFRESH_SECONDS = 0.5
"""Revoked keys, leavers, ended sessions and new approvals are seen within this time."""
TALLY_SECONDS = 10.0
WATCH_SECONDS = 1.0
USES_SECONDS = 60.0
"""How old the last use of a key may be in the database while it is used on."""
LISTEN_SECONDS = 0.5
"""How long the thread that listens waits at a time, and so how long it may keep the end waiting."""
RECONNECT_SECONDS = 2.0
SWEEP_SECONDS = 2.5
"""Between two looks for questions that nobody is at work on any more."""
TIDY_SECONDS = 60.0
COLLECT_SECONDS = 60.0
"""What a link or a configuration that is over leaves behind is in cycles. They are few objects, so
the collector by itself would look for old ones once in days; but buffers and compiled policies
hang on them."""


class Sooner:
    """Wakes what reads a copy before its time is up."""

    def __init__(self) -> None:
        self.keys = asyncio.Event()
        self.people = asyncio.Event()
        self.rest = asyncio.Event()
        self.configuration = asyncio.Event()
        self.approvals = asyncio.Event()
        """Set where the copy of the questions has changed."""

    def told(self, topics: frozenset[str]) -> None:
        """``""`` may be anything."""
        if topics & {"", *CREDENTIALS}:
            self.keys.set()
        if topics & {"", "person"}:
            self.people.set()
        if topics - CREDENTIALS - {"person"}:
            self.rest.set()
        if topics & {"", "configuration"}:
            self.configuration.set()


def _nobody(_: Mapping[str, int]) -> None:
    """Nobody waits here."""


class Background:
    """``refresh``: seconds from one reading of copies to the next, where nothing wakes it sooner.

    A thread for each reader: keys must not grow too old while something long is read or written.
    """

    def __init__(
        self,
        plant: Plant,
        reloader: Reloader,
        refresh: float = REFRESH_SECONDS,
        asked: Callable[[Mapping[str, int]], None] = _nobody,
        collect: float = COLLECT_SECONDS,
    ) -> None:
        """``asked``: told the version of each live question when one of them has changed."""
        self._plant = plant
        self._reloader = reloader
        self._refresh = refresh
        self._collect = collect
        self._sooner = Sooner()
        self._pushes = pushes_of(plant.stores.engine)
        self._threads = {
            name: ThreadPoolExecutor(1, thread_name_prefix=f"lockgate-{name}")
            for name in ("keys", "people", "copies", "listening")
        }
        self._tasks: list[asyncio.Task[None]] = []
        self._told = -1
        self._asked = asked

    def carrying_out(self, look: Callable[[], Awaitable[None]]) -> Coroutine[Any, Any, None]:
        """For ``start``: ``look`` at what is approved, at once where a question changed."""
        name = "carrying out approved calls"
        return every(self._refresh, name, look, self._sooner.approvals)

    def start(self, *more: Coroutine[Any, Any, None]) -> None:
        """``more``: what else is to run until ``stop``."""
        sooner, leases = self._sooner, self._plant.leases
        steps = [
            every(self._refresh, "reading keys", self._read_keys, sooner.keys),
            every(self._refresh, "reading people", self._read_people, sooner.people),
            every(self._refresh, "reading sessions and approvals", self._read_rest, sooner.rest),
            every(LEASES_SECONDS, "renewing what is carried out", self._renew_leases),
            every(SWEEP_SECONDS, "looking for interrupted calls", self._ending(leases.sweep)),
            every(TIDY_SECONDS, "ending questions", self._ending(leases.tidy)),
            every(RENEW_SECONDS, "renewing what was taken", self._plant.quota.renew),
            every(TALLY_SECONDS, "recording refused credentials", self._tally),
            every(USES_SECONDS, "noting which keys are used", self._write_uses),
            every(WATCH_SECONDS, "watching the configuration", self._watch, sooner.configuration),
            every(self._collect, "collecting garbage", memory.collect, at_once=False),
            every(LOOK_SECONDS, "reading secrets", self._plant.watch.look),
            every(DEPARTED_SECONDS, "ending accounts of leavers", Departures(self._plant).look),
            Announcing(self._plant, lambda: self._reloader.settings).run(),
            *more,
        ]
        if self._pushes is not None:
            steps.append(every(0, "listening for changes", self._listen(self._pushes),
                               after_failing=RECONNECT_SECONDS))  # fmt: skip
        self._tasks = [asyncio.create_task(each) for each in steps]

    async def stop(self) -> None:
        """Returns when no thread uses the database any more."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        try:
            await self._write_uses()
        except StoreDown as down:
            log.warning("which keys were used last is lost: %s", down)
        for thread in self._threads.values():
            await asyncio.to_thread(thread.shutdown)
        if self._pushes is not None:
            self._pushes.close()

    async def _in(self, thread: str, work: Callable[..., T], *given: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads[thread], work, *given)

    async def _read_keys(self) -> None:
        await self._in("keys", self._plant.refresh_credentials, now_ms())

    async def _read_people(self) -> None:
        await self._in("people", self._plant.directory.refresh, now_ms())

    async def _read_rest(self) -> None:
        before = self._plant.approvals.version
        await self._in("copies", self._plant.refresh_rest, now_ms())
        approvals = self._plant.approvals
        if approvals.version != self._told:
            self._told = approvals.version
            self._asked(approvals.versions())
        if self._plant.approvals.version != before:
            self._sooner.approvals.set()

    async def _renew_leases(self) -> None:
        if self._plant.leases.working or self._plant.leases.taken:
            await self._in("copies", self._plant.leases.renew)

    def _ending(self, end: Callable[[], list[AuditEvent]]) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            for event in await self._in("copies", end):
                self._plant.journal.note(event)

        return step

    async def _watch(self) -> None:
        await self._reloader.check()
        await self._in("copies", self._plant.shared.say, self._reloader.taken)

    async def _write_uses(self) -> None:
        used = self._plant.key_uses.drain()
        if not used:
            return
        try:
            await self._in("copies", self._plant.stores.keys.note_used, used)
        except (StoreDown, asyncio.CancelledError):  # written twice does no harm
            self._plant.key_uses.restore(used)
            raise

    async def _tally(self) -> None:
        journal = self._plant.journal
        for event in self._plant.tally.drain(now_ms()):
            journal.note(event)
        if not journal.healthy:
            await journal.flush()

    def _listen(self, pushes: Pushes) -> Callable[[], Awaitable[None]]:
        async def listen() -> None:
            self._sooner.told(await self._in("listening", pushes.wait, LISTEN_SECONDS))

        return listen
