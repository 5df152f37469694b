"""Calls that are running now, so that their own principal can cancel them."""

import asyncio
import logging
from typing import Any

import msgspec

from lockgate.wire.refusal import WireRefusal

log = logging.getLogger("lockgate.inflight")


class Ticket(msgspec.Struct, frozen=True):
    """JSON-RPC ids are unique only within one principal's session."""

    holder: str
    session: str
    request: int | str


class InFlight:
    def __init__(self) -> None:
        self._tasks: dict[Ticket, asyncio.Task[Any]] = {}
        self._all: set[asyncio.Task[Any]] = set()
        self.draining = False
        """Nothing that nobody waits for is begun any more."""

    def watch(self, task: "asyncio.Task[Any]") -> None:
        """Keep ``task`` alive, also when its client has gone."""
        self._all.add(task)
        task.add_done_callback(self._all.discard)

    def abandon(self, task: "asyncio.Task[Any]") -> None:
        """Nobody waits for ``task`` any more; it runs on, and its failure must not go unheard."""
        task.add_done_callback(_tell)

    def enter(self, ticket: Ticket) -> None:
        """Raises ``WireRefusal`` where this id is already running (JSON-RPC 2.0, section 4)."""
        task = asyncio.current_task()
        if task is None:
            return
        if ticket in self._tasks:
            raise WireRefusal("wire.duplicate-id", id=ticket.request)
        self._tasks[ticket] = task
        task.add_done_callback(lambda _: self._tasks.pop(ticket, None))

    def cancel(self, ticket: Ticket) -> bool:
        """Cancel the call behind ``ticket``; False where it does not run here. Too late is no
        error (MCP, Cancellation)."""
        task = self._tasks.get(ticket)
        if task is not None:
            task.cancel()
        return task is not None

    @property
    def running(self) -> int:
        return len(self._all)

    async def drain(self, seconds: float) -> None:
        """Let what runs finish; after ``seconds`` cancel the rest and wait for that."""
        self.draining = True
        if not self._all:
            return
        _, late = await asyncio.wait(self._all, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)


def _tell(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a call whose client had left failed", exc_info=task.exception())
