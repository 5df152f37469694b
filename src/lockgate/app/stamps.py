"""Where ids and the time come from. The only clock and the only randomness of a call."""

import os
import time

from lockgate.model import Call
from lockgate.pipeline.record import Stamp


def now_ms() -> int:
    """Milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def stamp() -> Stamp:
    """A fresh id that sorts by time (48 bits of milliseconds, 80 random bits), and the time."""
    at = now_ms()
    return Stamp(f"{at:012x}{_unguessable()}", at)


def new_id() -> str:
    return stamp().id


def unguessable_id() -> str:
    """128 random bits, for what must not be guessed."""
    return os.urandom(16).hex()


_HEX = 20
_AT_ONCE = 256
_ready: list[str] = []


def _unguessable() -> str:
    """80 bits from the operating system. They are fetched for many ids at once: the system call
    costs more than all else about an id."""
    try:
        return _ready.pop()  # one step, also for several threads
    except IndexError:
        text = os.urandom(_AT_ONCE * _HEX // 2).hex()
        first, *rest = (text[at : at + _HEX] for at in range(0, len(text), _HEX))
        _ready.extend(rest)
        return first


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ready.clear)


class Clock:
    """Source of the fact ``clock.now``: one reading a call."""

    def learn(self, call: Call) -> int:  # noqa: ARG002
        return now_ms()

    def settle(self, value: int) -> None:
        """A reading reserves nothing."""
