import time

from lockgate.app.stamps import Clock, now_ms, stamp
from worlds import call


def test_time_is_in_milliseconds_since_the_epoch() -> None:
    before = time.time()
    assert before - 1 <= now_ms() / 1000 <= time.time() + 1


def test_ids_are_unique_and_sort_by_time() -> None:
    made = [stamp() for _ in range(1_000)]
    assert len({one.id for one in made}) == 1_000
    assert {len(one.id) for one in made} == {32}
    assert all(int(one.id[:12], 16) == one.at for one in made)


def test_the_clock_is_a_fact_that_reserves_nothing() -> None:
    clock = Clock()
    read = clock.learn(call())
    assert abs(read - now_ms()) < 5_000
    clock.settle(read)
