"""Group commit: one thread writes, and everyone who waits meanwhile shares its next transaction."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from lockgate.audit.ports import EventStore
from lockgate.model import AuditEvent, EventRefused, JournalDown

LINGER_SECONDS = 0.02

_log = logging.getLogger("lockgate.audit")


class _Entry:
    """An event in the queue. Without a waiter it is kept until it is written."""

    __slots__ = ("event", "size", "tried", "waiter")

    def __init__(self, event: AuditEvent, waiter: asyncio.Future[None] | None) -> None:
        self.event = event
        self.size = sum(map(len, event.slots.values()))
        self.waiter = waiter
        self.tried = False

    @property
    def awaited(self) -> bool:
        return self.waiter is not None and not self.waiter.done()

    def settle(self, failure: JournalDown | None = None) -> None:
        if self.waiter is None or self.waiter.done():
            return
        if failure is None:
            self.waiter.set_result(None)
        else:
            self.waiter.set_exception(failure)


class GroupCommitJournal:
    """Satisfies ``pipeline.ports.Journal``. Belongs to the event loop that first uses it.

    Events are written in the order they came. When the store fails, everyone waiting is told
    ``JournalDown`` and their events are dropped, because what they stood for will not happen (a row
    may still exist where the failure came after the write: an intent without an outcome). What
    was noted, or whose waiter was cancelled, *has* happened: it stays queued and is tried again
    before the next commit, at ``flush`` and at ``close``.

    Notes never block and are never dropped. Beyond ``note_cap`` of them, or ``byte_cap`` bytes of
    slots that are queued, the journal calls itself unhealthy and ``commit`` raises ``JournalDown``,
    so that no new calls are let in until enough is written. What is noted even then is up to its
    callers to bound.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        batch_max: int = 256,
        note_cap: int = 10_000,
        byte_cap: int = 64 * 2**20,
    ) -> None:
        self._store = store
        self._batch_max = batch_max
        self._note_cap = note_cap
        self._byte_cap = byte_cap
        self._queue: deque[_Entry] = deque()
        self._notes = 0
        self._bytes = 0
        self._failed = False
        self._closed = False
        self._refused = 0
        self._writer: asyncio.Task[None] | None = None
        self._due: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lockgate-journal")

    @property
    def healthy(self) -> bool:
        """The last write succeeded, what waits fits, and it is not closed."""
        return not (self._failed or self._closed or self._full)

    @property
    def _full(self) -> bool:
        return self._notes > self._note_cap or self._bytes > self._byte_cap

    @property
    def backlog(self) -> int:
        """Events that are not durable yet."""
        return len(self._queue)

    @property
    def refused(self) -> int:
        """Noted events that the store will never take: a defect of the gateway, also logged."""
        return self._refused

    async def commit(self, event: AuditEvent) -> None:
        """Return when ``event`` is durable. Raises ``JournalDown``.

        Cancelling the wait does not take the event back.
        """
        self._refuse_if_closed()
        if self._full:
            self._wake()  # or it would stay full where the store is back
            raise JournalDown(f"{self.backlog} events are waiting to be written")
        waiter = asyncio.get_running_loop().create_future()
        self._push(_Entry(event, waiter))
        self._wake()
        await waiter

    def note(self, event: AuditEvent) -> None:
        """Record with the next batch, which is due in ``LINGER_SECONDS`` where no commit comes: a
        transaction costs the same whatever is in it. Raises ``JournalDown`` only after ``close``.
        """
        self._refuse_if_closed()
        self._push(_Entry(event, None))
        if self._failed or self._writing or self._due is not None:
            return
        loop = asyncio.get_running_loop()
        self._due = loop.call_later(LINGER_SECONDS, self._wake)

    async def flush(self) -> None:
        """Write what is queued; with an empty queue, find out whether the store is back.

        Raises ``JournalDown``. The way back to health where no commits come: call it while
        ``healthy`` is False.
        """
        self._refuse_if_closed()
        await self._drain()

    async def close(self) -> None:
        """Write what is queued and take no more. Raises ``JournalDown`` when something is left."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._drain()
        except JournalDown:
            for entry in self._queue:
                _log.critical("not recorded: event %s of call %s", entry.event.id, entry.event.call)
            raise
        finally:
            self._thread.shutdown(wait=False)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise JournalDown("the journal is closed")

    async def _drain(self) -> None:
        await asyncio.shield(self._wake())
        if self._queue and not self._failed:  # came in while the writer was finishing
            await asyncio.shield(self._wake())
        if self._failed:
            raise JournalDown(f"the journal cannot be written; {self.backlog} events are waiting")

    @property
    def _writing(self) -> bool:
        return self._writer is not None and not self._writer.done()

    def _wake(self) -> asyncio.Task[None]:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write_all())
        return self._writer

    async def _write_all(self) -> None:
        while True:
            batch = [self._pop() for _ in range(min(self._batch_max, len(self._queue)))]
            failure = await self._write(batch)
            if failure is not None:
                self._fail(batch, failure)
                return
            if self._failed:
                _log.warning("the journal is written again")
            self._failed = False
            for entry in batch:
                entry.settle()
            if not self._queue:
                return

    async def _write(self, batch: Sequence[_Entry]) -> BaseException | None:
        error = await self._append([entry.event for entry in batch])
        if not isinstance(error, EventRefused):
            return error
        # One event is the trouble. The others must not suffer for it.
        for entry in batch:
            error = await self._append([entry.event])
            if isinstance(error, EventRefused):
                self._refuse(entry, error)
            elif error is not None:
                return error
        return None

    async def _append(self, events: Sequence[AuditEvent]) -> BaseException | None:
        """Whatever the store raises comes back as a value, so that no waiter is forgotten."""
        loop = asyncio.get_running_loop()
        try:
            done = loop.run_in_executor(self._thread, self._store.append, events)
        except RuntimeError as error:  # the interpreter is ending: no thread takes work any more
            return error
        await asyncio.wait((done,))
        return done.exception()

    def _refuse(self, entry: _Entry, error: EventRefused) -> None:
        if error.duplicate and entry.tried:
            return  # the write that seemed to fail had reached the disk
        if not entry.awaited:
            self._refused += 1
        _log.critical("the store refuses event %s: %s", entry.event.id, error)
        entry.settle(_down(error))

    def _fail(self, batch: Iterable[_Entry], failure: BaseException) -> None:
        """Tell everyone who waits, also behind this batch; keep what already happened."""
        if not self._failed:
            _log.critical("the journal cannot be written: %s", failure)
        self._failed = True
        everyone = [*batch, *self._queue]
        self._queue.clear()
        self._notes = self._bytes = 0
        for entry in everyone:
            if entry.awaited:
                entry.settle(_down(failure))
                continue
            entry.tried = True
            self._push(entry)

    def _push(self, entry: _Entry) -> None:
        self._queue.append(entry)
        self._notes += entry.waiter is None
        self._bytes += entry.size

    def _pop(self) -> _Entry:
        entry = self._queue.popleft()
        self._notes -= entry.waiter is None
        self._bytes -= entry.size
        return entry


def _down(cause: BaseException) -> JournalDown:
    """One for each waiter: a shared exception would collect everyone's traceback."""
    failure = JournalDown("the journal cannot be written")
    failure.__cause__ = cause
    return failure
