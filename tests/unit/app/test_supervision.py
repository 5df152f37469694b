import asyncio
import logging
from collections.abc import Sequence

import pytest

from lockgate.app.supervision import every


async def rounds(outcomes: Sequence[bool]) -> int:
    """Let it run once for each outcome: True succeeds, False fails. How many rounds there were."""
    left, over = list(outcomes), asyncio.Event()
    done = 0

    async def step() -> None:
        nonlocal done
        done += 1
        fine = left.pop(0)
        if not left:
            over.set()
            await asyncio.Event().wait()
        if not fine:
            raise ValueError("this round failed")

    task = asyncio.ensure_future(every(0, "knitting", step))
    await asyncio.wait_for(over.wait(), 5)
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    assert task.cancelled(), "being told to stop is no failed round"
    return done


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]


async def test_a_failed_round_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    assert await rounds([True, False, True, True]) == 4
    assert len(errors(caplog)) == 1
    assert "knitting failed" in errors(caplog)[0]


async def test_it_is_not_waited_for_where_something_wakes_it() -> None:
    sooner, went = asyncio.Event(), asyncio.Semaphore(0)

    async def step() -> None:
        went.release()

    task = asyncio.ensure_future(every(60, "knitting", step, sooner))
    for _ in range(3):
        await asyncio.wait_for(went.acquire(), 5)
        sooner.set()
    task.cancel()
    await asyncio.wait({task}, timeout=5)


async def test_what_wakes_it_during_a_round_counts_for_the_next() -> None:
    sooner, rounds = asyncio.Event(), 0
    over = asyncio.Event()

    async def step() -> None:
        nonlocal rounds
        rounds += 1
        sooner.set() if rounds == 1 else over.set()

    task = asyncio.ensure_future(every(60, "knitting", step, sooner))
    await asyncio.wait_for(over.wait(), 5)
    task.cancel()
    await asyncio.wait({task}, timeout=5)


async def test_who_fails_may_wait_longer() -> None:
    rounds = 0
    failed = asyncio.Event()

    async def step() -> None:
        nonlocal rounds
        rounds += 1
        failed.set()
        raise ValueError

    task = asyncio.ensure_future(every(0, "knitting", step, after_failing=60))
    await asyncio.wait_for(failed.wait(), 5)
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    assert rounds == 1


async def test_what_keeps_failing_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    await rounds([False, False, False, True, False, False, True])
    assert len(errors(caplog)) == 2


async def test_it_may_begin_with_a_rest() -> None:
    sooner, went = asyncio.Event(), asyncio.Semaphore(0)

    async def step() -> None:
        went.release()

    task = asyncio.ensure_future(every(60, "knitting", step, sooner, at_once=False))
    await asyncio.sleep(0)
    assert went.locked()
    sooner.set()
    await asyncio.wait_for(went.acquire(), 5)
    task.cancel()
    await asyncio.wait({task}, timeout=5)


async def test_an_end_that_meets_what_wakes_it_is_an_end() -> None:
    sooner, went = asyncio.Event(), asyncio.Semaphore(0)

    async def step() -> None:
        went.release()

    task = asyncio.ensure_future(every(60, "knitting", step, sooner))
    await went.acquire()
    await asyncio.sleep(0)  # it rests now
    sooner.set()
    await asyncio.sleep(0)  # and is about to be woken
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    assert task.cancelled()
