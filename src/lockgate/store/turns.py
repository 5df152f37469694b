"""Who writes to the SQLite database next, where several processes want to.

SQLite itself has whoever finds it taken sleep, longer each time: with two that write all the time,
one starves. Here everyone stands in line, in all processes: whoever comes back from writing stands
behind whoever waits. SQLite's own lock still decides; this only says when to ask for it.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from sqlalchemy import Engine

PATIENCE_SECONDS = 5.0
PAUSE_SECONDS = 0.0005


def turn_at(engine: Engine, patience: float = PATIENCE_SECONDS) -> AbstractContextManager[None]:
    """Held while writing. Raises ``sqlite3.OperationalError`` where others take too long, and
    ``OSError``. Nothing where the database keeps its own line."""
    place = engine.url.database
    if engine.dialect.name != "sqlite" or not place or place == ":memory:":
        return nullcontext()
    return _turn(place, patience)


@contextmanager
def _turn(place: str, patience: float) -> Iterator[None]:
    ends = time.monotonic() + patience
    ahead = _opened(f"{place}-next")
    try:
        _wait(ahead, ends)
        held = _opened(f"{place}-turn")
        try:
            _wait(held, ends)
            os.close(ahead)
            ahead = -1
            yield
        finally:
            os.close(held)
    finally:
        if ahead >= 0:
            os.close(ahead)


def _opened(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _wait(lock: int, ends: float) -> None:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= ends:
                raise sqlite3.OperationalError("another process is writing") from None
        time.sleep(PAUSE_SECONDS)
