import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.model import Call, Principal, Reservation, Upstream
from lockgate.store.quota import MemoryBuckets, QuotaLimits, Reservations


class Clock:
    now = 1_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def call(who: str = "alice") -> Call:
    person = Principal(kind="person", subject=who)
    return Call("c", person, "tools/call", Upstream("clinic"), "t", b"{}")


def test_a_call_within_the_limits_takes_a_token_and_a_place(clock: Clock) -> None:
    taken = Reservations(QuotaLimits(60, 2, 5), MemoryBuckets(clock)).learn(call())
    assert (taken.key, taken.rate_ok, taken.running_ok) == ("person:alice", True, True)
    assert (taken.limit_per_minute, taken.limit_running, taken.retry_after_ms) == (60, 5, 0)


def test_the_rate_is_spent_and_comes_back_with_time(clock: Clock) -> None:
    quota = Reservations(QuotaLimits(60, 2, 5), MemoryBuckets(clock))
    for _ in range(2):
        quota.settle(quota.learn(call()))
    refused = quota.learn(call())
    assert (refused.rate_ok, refused.retry_after_ms) == (False, 1_000)
    clock.now += 999
    assert not quota.learn(call()).rate_ok
    clock.now += 1
    assert quota.learn(call()).rate_ok


def test_a_place_comes_back_when_the_call_is_over(clock: Clock) -> None:
    quota = Reservations(QuotaLimits(6_000, 100, 2), MemoryBuckets(clock))
    first, second = quota.learn(call()), quota.learn(call())
    refused = quota.learn(call())
    assert refused.rate_ok
    assert not refused.running_ok
    quota.settle(refused)
    assert not quota.learn(call()).running_ok, "who got no place gives none back"
    quota.settle(first)
    assert quota.learn(call()).running_ok
    assert second.running_ok


def part(number: int, of: str = "c", who: str = "alice") -> Call:
    return msgspec.structs.replace(call(who), id=f"{of}.{number}", part_of=of)


def test_the_parts_of_one_request_share_one_token_and_one_place(clock: Clock) -> None:
    quota = Reservations(QuotaLimits(60, 2, 1), MemoryBuckets(clock))
    parts = [quota.learn(call()), *(quota.learn(part(n)) for n in range(1, 40))]
    assert all(p.rate_ok and p.running_ok for p in parts)
    for one in parts[:-1]:
        quota.settle(one)
    assert not quota.learn(call()).running_ok, "the last part still runs"
    quota.settle(parts[-1])
    clock.now += 1_000
    assert quota.learn(call()).running_ok


def test_what_the_first_part_is_refused_all_are(clock: Clock) -> None:
    quota = Reservations(QuotaLimits(60, 1, 5), MemoryBuckets(clock))
    quota.settle(quota.learn(call()))
    first, second = quota.learn(call()), quota.learn(part(1))
    assert not first.rate_ok
    assert second == first
    for one in (first, second):
        quota.settle(one)
    clock.now += 1_000
    assert quota.learn(call()).rate_ok


def test_a_part_of_nothing_or_of_another_s_request_takes_its_own(clock: Clock) -> None:
    quota = Reservations(QuotaLimits(60, 1, 5), MemoryBuckets(clock))
    assert quota.learn(part(1, of="gone")).rate_ok
    assert quota.learn(part(1, of="gone.1", who="bob")).rate_ok
    assert not quota.learn(part(2, of="gone")).rate_ok


def test_settling_twice_gives_one_place_back(clock: Clock) -> None:
    quota = Reservations(QuotaLimits(6_000, 100, 2), MemoryBuckets(clock))
    first, _ = quota.learn(call()), quota.learn(call())
    quota.settle(first)
    quota.settle(first)
    assert quota.learn(call()).running_ok
    assert not quota.learn(call()).running_ok


def test_who_has_no_token_takes_no_place(clock: Clock) -> None:
    quota = Reservations(QuotaLimits(60, 1, 2), MemoryBuckets(clock))
    quota.learn(call())
    for _ in range(5):
        assert not quota.learn(call()).rate_ok
    clock.now += 60_000
    assert quota.learn(call()).running_ok


def test_principals_do_not_share(clock: Clock) -> None:
    quota = Reservations(QuotaLimits(60, 1, 1), MemoryBuckets(clock))
    assert quota.learn(call("alice")).rate_ok
    taken = quota.learn(call("bob"))
    assert taken.rate_ok
    assert taken.running_ok


def test_new_limits_hold_from_the_next_call(clock: Clock) -> None:
    quota = Reservations(QuotaLimits(60, 100, 100), MemoryBuckets(clock))
    quota.learn(call())
    quota.limits = QuotaLimits(60, 1, 1)
    assert not quota.learn(call()).running_ok
    assert not quota.learn(call()).rate_ok


def test_who_is_idle_with_a_full_bucket_is_forgotten(clock: Clock) -> None:
    buckets = MemoryBuckets(clock)
    quota = Reservations(QuotaLimits(60, 2, 1), buckets)
    running = quota.learn(call("still-running"))
    for n in range(1_022):
        quota.settle(quota.learn(call(f"p{n}")))
    clock.now += 59_000
    quota.settle(quota.learn(call("empty")))
    clock.now += 1_000 - 1
    quota.learn(call("one-more"))
    assert buckets.known == 3
    assert not quota.learn(call("still-running")).running_ok
    quota.settle(running)
    assert quota.learn(call("still-running")).rate_ok


@given(st.lists(st.tuples(st.sampled_from(["call", "done", "wait"]), st.integers(0, 3_000))))
def test_never_more_than_the_limits(steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    start = clock.now
    quota = Reservations(QuotaLimits(60, 3, 2), MemoryBuckets(clock))
    running: list[Reservation] = []
    passed = 0
    for what, ms in steps:
        if what == "wait":
            clock.now += ms
        elif what == "done" and running:
            quota.settle(running.pop())
        else:
            taken = quota.learn(call())
            passed += taken.rate_ok
            if taken.rate_ok and taken.running_ok:
                running.append(taken)
        assert len(running) <= 2
        assert passed <= 3 + (clock.now - start) / 1_000 + 1e-6
