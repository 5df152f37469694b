"""A reserved place under a limit."""

import math

import msgspec

from lockgate.model.facts import FactKey


class Reservation(msgspec.Struct, frozen=True):
    """The answer of one atomic check-and-take. What was taken is given back at the outcome."""

    key: str
    rate_ok: bool
    """A token was taken from the rate bucket."""
    running_ok: bool
    """A place was taken among the calls running at once."""
    limit_per_minute: int
    limit_running: int
    retry_after_ms: int = 0


QUOTA: FactKey[Reservation] = FactKey("quota.reservation")


def take_token(tokens: float, at: int, now: int, per_minute: int, burst: int) -> tuple[float, int]:
    """Take one token from a bucket that held ``tokens`` at ``at``: what is left, and the wait.

    A wait of 0 means that the token was taken; otherwise nothing was, and the wait says in how many
    milliseconds the next will be there. The bucket refills evenly with ``per_minute`` and holds
    ``burst`` at most. ``at`` and ``now`` are milliseconds; a clock that went back refills nothing.
    """
    held = min(float(burst), tokens + max(0, now - at) * per_minute / 60_000)
    if held >= 1:
        return held - 1, 0
    if per_minute < 1 or burst < 1:
        return held, 60_000
    return held, max(1, math.ceil((1 - held) * 60_000 / per_minute))
