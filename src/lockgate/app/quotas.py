"""How much each principal may, and where it is counted."""

from sqlalchemy import Engine

from lockgate.app.settings import Settings
from lockgate.app.stamps import now_ms
from lockgate.store.quota import Buckets, MemoryBuckets, QuotaLimits, Reservations
from lockgate.store.quota_postgresql import SharedReservations

Quota = Reservations | SharedReservations

MESSAGES_PER_CALL = 10
"""Messages of any kind that a principal may send for each call it may make."""


def quota_limits(settings: Settings) -> QuotaLimits:
    limits = settings.limits
    return QuotaLimits(limits.calls_per_minute, limits.burst, limits.concurrent_calls)


def quota_of(engine: Engine, settings: Settings, node: str, shared: Buckets | None) -> Quota:
    """Over all workers that there may be. ``shared``: by those of this host. On PostgreSQL there
    may be others."""
    limits = quota_limits(settings)
    if settings.database:
        return SharedReservations(limits, engine, node)
    return Reservations(limits, shared or MemoryBuckets(now_ms))


def message_limits(settings: Settings) -> QuotaLimits:
    """Wide enough for the messages around each call; ``running`` is not used."""
    limits = settings.limits
    return QuotaLimits(
        MESSAGES_PER_CALL * limits.calls_per_minute, MESSAGES_PER_CALL * limits.burst, 1
    )
