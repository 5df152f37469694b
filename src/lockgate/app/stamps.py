"""Where ids and the time come from. The only clock and the only randomness of a call."""

import secrets
import time

from lockgate.model import Call
from lockgate.pipeline.record import Stamp


def now_ms() -> int:
    """Milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def stamp() -> Stamp:
    """A fresh id that sorts by time (48 bits of milliseconds, 80 random bits), and the time."""
    at = now_ms()
    return Stamp(f"{at:012x}{secrets.token_hex(10)}", at)


class Clock:
    """Source of the fact ``clock.now``: one reading a call."""

    def learn(self, call: Call) -> int:  # noqa: ARG002
        return now_ms()

    def settle(self, value: int) -> None:
        """A reading reserves nothing."""
