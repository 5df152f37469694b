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


async def test_what_keeps_failing_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    await rounds([False, False, False, True, False, False, True])
    assert len(errors(caplog)) == 2
