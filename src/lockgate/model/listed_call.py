"""Calls as lists of them show them, and what many of them come to. Without contents."""

import msgspec


class CallsWanted(msgspec.Struct, frozen=True):
    """Empty: any."""

    principal: str = ""
    """Its subject."""
    upstream: str = ""
    tool: str = ""
    effect: str = ""
    """What it came to: ``permit``, ``hold`` or ``deny``."""
    reason: str = ""


class ListedCall(msgspec.Struct, frozen=True):
    """Times are in milliseconds since the Unix epoch."""

    seq: int
    """Of the row that it began with."""
    call: str
    at: int
    method: str
    upstream: str
    target: str
    """The tool; empty for anything else."""
    effect: str
    reason: str
    """Both as of its outcome, or of its judgement where it has none."""
    ended: int
    """When it had its outcome; 0 without one."""
    actor: bytes
    """Who called, as the journal keeps it; empty where that was destroyed."""


class CallsPage(msgspec.Struct, frozen=True):
    calls: tuple[ListedCall, ...]
    """Newest first."""
    older: int
    """Go on before this ``seq``; 0: there is nothing before."""


class Tally(msgspec.Struct, frozen=True):
    """What happened since a time."""

    since: int
    step: int
    """Milliseconds of one bucket."""
    counts: tuple[tuple[int, str, int], ...]
    """Number of the bucket, effect of the judgement, how many calls."""
    reasons: tuple[tuple[str, int], ...]
    """Why calls were refused, the most frequent first."""
    lasted: tuple[int, ...]
    """Milliseconds that the latest calls took, shortest first."""
    whole: bool
    """False where the journal holds more than was looked at."""
