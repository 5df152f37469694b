"""Background work that must not stop because one round failed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

log = logging.getLogger("lockgate.background")


async def every(
    seconds: float,
    name: str,
    step: Callable[[], Awaitable[None]],
    sooner: asyncio.Event | None = None,
    after_failing: float | None = None,
    *,
    at_once: bool = True,
) -> None:
    """Run ``step`` again and again; at once where ``sooner`` was set. ``at_once``: also the first
    time. A round that raises is logged; what depends on its success notices by itself (stale keys
    refuse, a broken journal stops traffic)."""
    failing = False
    if not at_once:
        await _rest(seconds, sooner)
    while True:
        if sooner is not None:
            sooner.clear()  # before the step: what is set during it counts for the next
        try:
            await step()
            failing = False
        except Exception:
            if not failing:
                log.exception("%s failed; trying again every %s s", name, after_failing or seconds)
            failing = True
        await _rest(after_failing if failing and after_failing is not None else seconds, sooner)


async def _rest(seconds: float, sooner: asyncio.Event | None) -> None:
    if sooner is None:
        await asyncio.sleep(seconds)
        return
    with suppress(TimeoutError):
        # Not wait_for: until Python 3.12 it loses a cancellation that meets what it waits for.
        async with asyncio.timeout(seconds):
            await sooner.wait()
