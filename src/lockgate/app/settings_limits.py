"""What ``limits`` and ``journal`` may say."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from lockgate.app.settings_kinds import Closed, Name, Seconds, Size, size


class Limits(Closed):
    """How much, how often, how long. Rates are for each principal."""

    calls_per_minute: int = Field(default=600, ge=1, le=1_000_000)
    """Sustained calls a minute."""
    burst: int = Field(default=200, ge=1, le=1_000_000)
    """Calls that may come at once after a pause."""
    concurrent_calls: int = Field(default=32, ge=1, le=10_000)
    """Calls running at the same time."""
    message_bytes: Size = 4 * 2**20
    """Largest request: a number of bytes, or for instance 4 MiB."""
    reply_bytes: Size = 4 * 2**20
    """Largest answer of an upstream."""
    call_seconds: Seconds = 60
    """How long an upstream may take to answer."""
    header_seconds: Seconds = 10
    """How long a client may take to send its headers."""
    body_seconds: Seconds = 30
    """How long a client may take to send its request."""
    session_days: int = Field(default=30, ge=1, le=366)
    """After this a client must initialize again (protocol versions with sessions)."""
    drain_seconds: Seconds = 20
    """How long a stopping gateway waits for running calls."""


class Journal(Closed):
    """What is kept of each call, and how firmly."""

    result_bytes: Annotated[int, BeforeValidator(size), Field(ge=0, le=2**24)] = 16 * 2**10
    """Results up to this size are kept whole; of larger ones, size and digest."""
    durable_outcomes: frozenset[Name] = frozenset()
    """Data classes whose calls are answered only when their outcome is durable too."""
