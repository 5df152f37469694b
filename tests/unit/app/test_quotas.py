from pathlib import Path

from sqlalchemy import Engine

from lockgate.app.quotas import message_limits, quota_limits, quota_of
from lockgate.app.settings import Settings
from lockgate.app.settings_limits import Limits
from lockgate.model import Call, Principal, Upstream
from lockgate.store.quota import MemoryBuckets, QuotaLimits, Reservations
from lockgate.store.quota_postgresql import SharedReservations

LIMITS = Limits(calls_per_minute=60, burst=5, concurrent_calls=3)


def test_messages_have_wider_limits_than_calls() -> None:
    settings = Settings(limits=LIMITS)
    assert quota_limits(settings) == QuotaLimits(60, 5, 3)
    assert message_limits(settings) == QuotaLimits(600, 50, 1)


async def test_what_workers_of_one_host_share_is_used(sqlite: Engine) -> None:
    shared, settings = MemoryBuckets(lambda: 1), Settings(limits=LIMITS)
    quota = quota_of(sqlite, settings, "w0", shared)
    assert isinstance(quota, Reservations)
    quota.learn(Call("c", Principal("person", "a"), "tools/call", Upstream("u"), "t"))
    assert shared.known == 1
    assert isinstance(quota_of(sqlite, settings, "w0", None), Reservations)


async def test_on_postgresql_there_may_always_be_others(tmp_path: Path, postgresql: Engine) -> None:
    settings = Settings(data_dir=str(tmp_path), database="env:DATABASE_URL")
    quota = quota_of(postgresql, settings, "w0", None)
    assert isinstance(quota, SharedReservations)
    await quota.close()
