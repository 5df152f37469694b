"""Background work that must not stop because one round failed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger("lockgate.background")


async def every(seconds: float, name: str, step: Callable[[], Awaitable[None]]) -> None:
    """Run ``step`` again and again. A round that raises is logged; what depends on its success
    notices by itself (stale keys refuse, a broken journal stops traffic)."""
    failing = False
    while True:
        try:
            await step()
            failing = False
        except Exception:
            if not failing:
                log.exception("%s failed; trying again every %s s", name, seconds)
            failing = True
        await asyncio.sleep(seconds)
