"""Keys that somebody should look at: too old, not used, nobody's any more, made for too long."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from lockgate.control_plane.services.keys import state_of
from lockgate.model import KeyRecord

Finding = Literal["old", "unused", "never-used", "owner-idle", "long-lived"]


class Bounds(msgspec.Struct, frozen=True):
    """What is too long, in milliseconds."""

    older_than: int
    """Since it was made."""
    unused: int
    """Since it was last accepted."""
    longest: int
    """From when it was made until it expires."""


class Aged(msgspec.Struct, frozen=True):
    """Ages in milliseconds."""

    record: KeyRecord
    age: int
    left: int
    """Until it expires."""
    findings: tuple[Finding, ...]


def report(records: Iterable[KeyRecord], now: int, bounds: Bounds) -> tuple[Aged, ...]:
    """The keys that are valid, oldest first.

    A key that was rotated is on its way out: that it is old or not used any more is as it should
    be. ``owner-idle`` is said of a service's key whose owner has keys of their own and used none of
    them lately; of an owner who never had any nothing is known.
    """
    everything = sorted(records, key=lambda r: (r.created, r.id))
    own: dict[str, int] = {}
    for record in everything:
        if record.kind == "personal":
            # A key that was just made is a sign of its owner too.
            seen = max(record.used, record.created)
            own[record.owner] = max(own.get(record.owner, 0), seen)
    return tuple(
        Aged(r, now - r.created, r.expires - now, _findings(r, own.get(r.owner), now, bounds))
        for r in everything
        if state_of(r, now) == "active"
    )


def _findings(
    record: KeyRecord, owner_seen: int | None, now: int, bounds: Bounds
) -> tuple[Finding, ...]:
    said: dict[Finding, bool] = {
        "old": not record.successor and now - record.created > bounds.older_than,
        "unused": not record.successor and 0 < record.used < now - bounds.unused,
        "never-used": not record.used and now - record.created > bounds.unused,
        "owner-idle": record.kind == "service"
        and owner_seen is not None
        and owner_seen < now - bounds.unused,
        "long-lived": record.expires - record.created > bounds.longest,
    }
    return tuple(finding for finding, is_so in said.items() if is_so)
