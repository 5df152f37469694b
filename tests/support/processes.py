"""Waiting for things that other processes do: always with a deadline, never by sleeping blindly."""

import os
import select
import time
from collections.abc import Callable

DEADLINE = 10.0


def alive(pid: int) -> bool:
    """Running, that is, not ended and not a zombie either."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pid: int, seconds: float = DEADLINE) -> bool:
    """Wait until ``pid`` has ended; False if it lives on. Also for processes of others."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def until(true: Callable[[], bool], seconds: float = DEADLINE) -> None:
    """Poll, for what offers nothing to wait on. Raises ``TimeoutError``."""
    ends = time.monotonic() + seconds
    pause = select.poll()
    while not true():
        if time.monotonic() > ends:
            raise TimeoutError
        pause.poll(5)
