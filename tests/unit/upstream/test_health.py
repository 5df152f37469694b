import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.model import SendFailed
from lockgate.upstream.health import COUNTS, Health, Pace

CRASH = "upstream.crashed"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(health: Health, reason: str = CRASH) -> None:
    health.failed(reason, health.mark)


def test_one_failure_does_not_rest_it(clock: Clock) -> None:
    health = Health(clock)
    fail(health)
    health.check()


def test_rest_doubles_up_to_the_cap(clock: Clock) -> None:
    health = Health(clock, Pace(first=1, cap=5, stable=30))
    rests = []
    for _ in range(6):
        fail(health)
        rests.append(health.rest)
        clock.now += health.rest
    assert rests == [0, 1, 2, 4, 5, 5]


def test_while_resting_attempts_are_refused_then_allowed(clock: Clock) -> None:
    health = Health(clock, Pace(first=2))
    fail(health)
    fail(health)
    with pytest.raises(SendFailed) as refused:
        health.check()
    assert refused.value.reason == "upstream.backing-off"
    assert "upstream.crashed" in refused.value.detail
    clock.now += 2
    health.check()


def test_stable_work_forgets_failures(clock: Clock) -> None:
    health = Health(clock, Pace(first=1, stable=30))
    for _ in range(5):
        fail(health)
    clock.now += health.rest
    health.answered()
    assert health.reason == ""
    clock.now += 30
    fail(health)
    health.check()


def test_work_too_short_does_not_forget(clock: Clock) -> None:
    health = Health(clock, Pace(first=1, stable=30))
    for _ in range(3):
        fail(health)
    clock.now += health.rest
    health.answered()
    clock.now += 29
    fail(health)
    assert health.rest == 4


def test_a_long_rest_is_not_stable_work(clock: Clock) -> None:
    """The cap may exceed ``stable``; resting alone must not reset the pace."""
    health = Health(clock, Pace(first=1, cap=60, stable=5))
    for _ in range(9):
        fail(health)
        clock.now += health.rest
    fail(health)
    assert health.rest == 60


def test_requests_that_fall_together_count_once(clock: Clock) -> None:
    health = Health(clock)
    mark = health.mark
    for _ in range(20):
        health.failed(CRASH, mark)
    health.check()


@pytest.mark.parametrize("reason", ["upstream.timeout", "upstream.too-large"])
def test_what_may_be_the_callers_doing_does_not_count(clock: Clock, reason: str) -> None:
    health = Health(clock)
    for _ in range(5):
        fail(health, reason)
    health.check()
    assert reason not in COUNTS


def test_forgettable_only_after_rest_and_stability(clock: Clock) -> None:
    health = Health(clock, Pace(first=10, stable=30))
    fail(health)
    fail(health)
    clock.now += 39
    assert not health.forgettable
    clock.now += 1
    assert health.forgettable


@given(st.lists(st.floats(0, 100), max_size=60))
def test_rest_never_exceeds_the_cap(waits: list[float]) -> None:
    clock = Clock()
    health = Health(clock, Pace(cap=7))
    for wait in waits:
        clock.now += wait
        fail(health)
        assert 0 <= health.rest <= 7.0001


def test_a_slow_opening_rests_as_long_as_everybody_waited(clock: Clock) -> None:
    health = Health(clock, Pace(first=1, cap=20, stable=100))
    health.failed_to_open("upstream.timeout", health.mark, took=7)
    assert health.rest == 7
    clock.now += 7
    health.failed_to_open("upstream.timeout", health.mark, took=35)
    assert health.rest == 20, "the cap"


def test_a_quick_failure_to_open_is_like_any_other(clock: Clock) -> None:
    health = Health(clock, Pace(first=1, cap=20))
    health.failed_to_open(CRASH, health.mark, took=0.1)
    assert health.rest == 0
    health.failed_to_open("upstream.credential", health.mark, took=30)
    assert health.rest == 0


def test_a_failure_that_was_counted_before_is_not_counted_again(clock: Clock) -> None:
    health = Health(clock, Pace(first=1, cap=20))
    mark = health.mark
    health.failed_to_open("upstream.timeout", mark, took=3)
    health.failed_to_open("upstream.timeout", mark, took=9)
    health.failed(CRASH, mark)
    assert health.rest == 3
