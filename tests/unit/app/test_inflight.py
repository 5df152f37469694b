import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from lockgate.app.inflight import InFlight, Ticket
from lockgate.wire.refusal import WireRefusal

MINE = Ticket("person:alice", "s-1", 7)
OTHERS = [Ticket("person:bob", "s-1", 7), Ticket("person:alice", "s-2", 7),
          Ticket("person:alice", "s-1", "7")]  # fmt: skip


class Running:
    """A call under ``ticket`` that runs until ``finish`` is set."""

    def __init__(self, inflight: InFlight, ticket: Ticket = MINE) -> None:
        self.inflight = inflight
        self.ticket = ticket
        self.finish = asyncio.Event()
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> str:
        self.inflight.enter(self.ticket)
        await self.finish.wait()
        return "done"

    async def begun(self) -> "Running":
        await asyncio.sleep(0)
        return self


async def test_an_id_that_is_running_cannot_be_used_again() -> None:
    inflight = InFlight()
    first = await Running(inflight).begun()
    with pytest.raises(WireRefusal) as caught:
        inflight.enter(MINE)
    assert (caught.value.reason, caught.value.id) == ("wire.duplicate-id", 7)
    first.finish.set()
    assert await first.task == "done"
    again = await Running(inflight).begun()
    again.finish.set()
    assert await again.task == "done"


@pytest.mark.parametrize("other", OTHERS)
async def test_ids_are_told_apart_by_holder_session_and_kind(other: Ticket) -> None:
    inflight = InFlight()
    mine, theirs = await Running(inflight).begun(), await Running(inflight, other).begun()
    inflight.cancel(other)
    await asyncio.wait({theirs.task}, timeout=5)
    assert theirs.task.cancelled()
    mine.finish.set()
    assert await mine.task == "done"


async def test_cancelling_too_late_is_no_error() -> None:
    inflight = InFlight()
    call = await Running(inflight).begun()
    call.finish.set()
    await call.task
    inflight.cancel(MINE)
    inflight.cancel(OTHERS[0])


async def test_draining_waits_for_what_runs() -> None:
    inflight = InFlight()
    await inflight.drain(5)
    call = await Running(inflight).begun()
    inflight.watch(call.task)
    assert inflight.running == 1
    draining = asyncio.ensure_future(inflight.drain(5))
    await asyncio.sleep(0)
    assert not draining.done()
    call.finish.set()
    await asyncio.wait_for(draining, 5)
    assert call.task.result() == "done"
    assert inflight.running == 0


async def test_what_is_still_running_then_is_cancelled_and_awaited() -> None:
    inflight, ended = InFlight(), []

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # an outcome to record, say
            ended.append(True)

    inflight.watch(asyncio.ensure_future(stubborn()))
    await asyncio.sleep(0)
    await inflight.drain(0.001)
    assert ended


async def fail() -> None:
    raise ValueError("nobody is there to hear it")


async def succeed() -> None:
    """Nothing to tell."""


async def hang() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(("what", "said"), [(fail, 1), (succeed, 0), (hang, 0)])
async def test_only_the_failure_of_an_abandoned_call_is_logged(
    what: Callable[[], Awaitable[None]], said: int, caplog: pytest.LogCaptureFixture
) -> None:
    inflight = InFlight()
    task = asyncio.ensure_future(what())
    inflight.abandon(task)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    await asyncio.sleep(0)
    errors = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert len(errors) == said
