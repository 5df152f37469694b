import pytest

from lockgate.app.brake import BODIES, LARGE_BYTES, Brake
from lockgate.store.quota import QuotaLimits
from lockgate.wire.refusal import WireRefusal
from support.staged import BOB
from worlds import ALICE


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


def test_messages_are_limited_for_each_principal_and_come_back_with_time() -> None:
    brake = Brake(QuotaLimits(60, 2, 1), clock := Clock())
    brake.take(ALICE)
    brake.take(ALICE)
    with pytest.raises(WireRefusal) as refused:
        brake.take(ALICE)
    assert refused.value.reason == "quota.messages"
    assert refused.value.data == {"retry_after_ms": 1_000}
    brake.take(BOB)
    clock.now = 1_000
    brake.take(ALICE)


def test_new_limits_hold_from_the_next_message() -> None:
    brake = Brake(QuotaLimits(60, 1, 1), clock := Clock())
    brake.take(ALICE)
    brake.limits = QuotaLimits(60_000, 1, 1)
    clock.now = 1
    brake.take(ALICE)


@pytest.mark.parametrize("declared", [None, "x", str(LARGE_BYTES + 1)])
def test_few_large_bodies_are_read_at_once(declared: str | None) -> None:
    brake = Brake(QuotaLimits(60, 1, 1), Clock())
    held = [brake.reading(ALICE, declared) for _ in range(BODIES)]
    for one in held:
        one.__enter__()
    with pytest.raises(WireRefusal, match=r"quota\.messages"), brake.reading(ALICE, declared):
        pass
    with brake.reading(ALICE, str(LARGE_BYTES)), brake.reading(BOB, declared):
        pass
    held[0].__exit__(None, None, None)
    with brake.reading(ALICE, declared):
        pass
