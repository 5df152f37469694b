"""What one principal has left, as all workers share it: a row that each changes in turn.

Workers that ended without giving their places back are told by their lease: each *owner* (one
worker from its start to its end) renews it, and the places of one whose lease is over count no
more.
"""

from collections.abc import Container

import msgspec

from lockgate.model import take_token
from lockgate.store.quota import QuotaLimits

LEASE_MS = 10_000
RENEW_SECONDS = 2.0


class Row(msgspec.Struct):
    tokens: float
    at: int
    """When it held so many, in milliseconds."""
    places: dict[str, int]
    """How many calls each owner runs."""


def fresh(limits: QuotaLimits, now: int) -> Row:
    """Of a principal that nobody remembers."""
    return Row(float(limits.burst), now, {})


def take(
    row: Row, owner: str, limits: QuotaLimits, now: int, alive: Container[str]
) -> tuple[int, bool]:
    """A token, and a place where there is one: the wait in milliseconds, and whether there was
    room. ``alive``: owners whose places count."""
    row.places = {who: n for who, n in row.places.items() if who in alive}
    row.tokens, wait = take_token(row.tokens, row.at, now, limits.per_minute, limits.burst)
    row.at = max(row.at, now)
    room = sum(row.places.values()) < limits.running
    if wait == 0 and room:
        row.places[owner] = row.places.get(owner, 0) + 1
    return wait, room


def give(row: Row, owner: str, count: int = 1) -> None:
    """Places back: none is left where the lease was over meanwhile."""
    left = row.places.pop(owner, 0) - count
    if left > 0:
        row.places[owner] = left


def idle(row: Row, limits: QuotaLimits, now: int) -> bool:
    """Whether a fresh one would be equal."""
    full = row.tokens + max(0, now - row.at) * limits.per_minute / 60_000 >= limits.burst
    return full and not row.places


encode_places = msgspec.json.Encoder().encode
decode_places = msgspec.json.Decoder(dict[str, int]).decode
