import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.model import take_token

MINUTE = 60_000


def test_a_full_bucket_gives_its_burst_and_no_more() -> None:
    tokens, waits = 3.0, []
    for _ in range(4):
        tokens, wait = take_token(tokens, 0, 0, 60, 3)
        waits.append(wait)
    assert waits == [0, 0, 0, 1_000]


def test_a_refusal_takes_nothing() -> None:
    assert take_token(0.25, 0, 0, 60, 3) == (0.25, 750)


def test_it_refills_evenly_up_to_the_burst() -> None:
    assert take_token(0, 0, 2_500, 60, 9) == (1.5, 0)
    assert take_token(0, 0, MINUTE * 60, 60, 9) == (8.0, 0)


def test_a_clock_that_went_back_refills_nothing() -> None:
    assert take_token(0.5, 10_000, 0, 60, 9) == (0.5, 500)


@pytest.mark.parametrize(("per_minute", "burst"), [(0, 5), (60, 0), (0, 0)])
def test_a_limit_of_nothing_never_gives(per_minute: int, burst: int) -> None:
    assert take_token(0, 0, MINUTE * 9, per_minute, burst)[1] > 0


@given(st.floats(0, 1), st.integers(1, 10_000), st.integers(1, 50))
def test_waiting_as_long_as_told_is_enough(tokens: float, per_minute: int, burst: int) -> None:
    left, wait = take_token(tokens, 0, 0, per_minute, burst)
    if wait:
        assert take_token(left, 0, wait, per_minute, burst)[1] <= 1, "rounding: a millisecond"
