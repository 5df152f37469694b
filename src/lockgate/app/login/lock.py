"""One process at a time, among those of one person on one machine."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

SECONDS = 60.0
"""More than a token request may take."""
_PAUSE = 0.02


class LockBusy(Exception):
    """Somebody holds it for longer than anything here takes."""


@asynccontextmanager
async def locked(place: Path, seconds: float = SECONDS) -> AsyncIterator[None]:
    """Holds the lock file ``place``. Released by the system when its holder ends, however it does.

    The file stays: removing it would let two hold "the" lock. Raises ``LockBusy``, ``OSError``.
    """
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        await _take(handle, place, seconds)
        yield
    finally:
        os.close(handle)


async def _take(handle: int, place: Path, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not _taken(handle):  # noqa: ASYNC110 - the other is a process
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        raise LockBusy(f"{place} is held by another process") from None


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
