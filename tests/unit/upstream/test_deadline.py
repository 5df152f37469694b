import asyncio

import pytest

from lockgate.upstream.deadline import Deadline


async def test_it_ends_what_takes_longer() -> None:
    with pytest.raises(TimeoutError):
        async with Deadline(0.01):
            await asyncio.Event().wait()


async def test_what_ends_in_time_is_left_alone() -> None:
    async with Deadline(60) as deadline:
        await asyncio.sleep(0)
    assert deadline.seconds == 60


async def test_it_stands_still_while_paused_and_runs_on_after_the_last_pause() -> None:
    deadline, passed = Deadline(0.05), []

    async def wait() -> None:
        async with deadline:
            with deadline.paused():
                with deadline.paused():
                    await _pass(0.1)
                await _pass(0.1)
            passed.append("both")
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await wait()
    assert passed == ["both"]


@pytest.mark.parametrize("early", [True, False])
async def test_expiring_ends_it_paused_or_not(early: bool) -> None:
    async def wait(deadline: Deadline) -> None:
        async with deadline:
            if early:
                deadline.expire()
            with deadline.paused():
                deadline.expire()
                await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await wait(Deadline(60))


async def test_once_over_it_can_be_paused_without_effect() -> None:
    deadline = Deadline(60)
    async with deadline:
        pause = deadline.paused()
        pause.__enter__()
    pause.__exit__(None, None, None)
    deadline.expire()
    with deadline.paused():
        await asyncio.sleep(0)


async def _pass(seconds: float) -> None:
    """Real time, which is what is tested."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
