"""What only the memory of several workers can do; the rest is in ``contract/test_quota.py``."""

import fcntl
import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lockgate.model import StoreDown
from lockgate.store.quota import QuotaLimits
from lockgate.store.quota_rows import LEASE_MS
from lockgate.store.quota_shared import SharedBuckets

LIMITS = QuotaLimits(60, 1_000, 1_000)
PLENTY = QuotaLimits(1, 10_000, 10_000)


class Clock:
    now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def buckets(tmp_path: Path, clock: Clock) -> Iterator[SharedBuckets]:
    made = SharedBuckets(tmp_path / "quota", 0, 2, clock)
    made.renew()
    yield made
    made.close()


@contextmanager
def held(tmp_path: Path) -> Iterator[int]:
    other = os.open(tmp_path / "quota", os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)
    try:
        yield other
    finally:
        os.close(other)


def test_the_file_is_private(tmp_path: Path, buckets: SharedBuckets) -> None:
    assert (tmp_path / "quota").stat().st_mode & 0o777 == 0o600


def test_nothing_is_known_while_another_holds_it_too_long(
    tmp_path: Path, buckets: SharedBuckets
) -> None:
    with held(tmp_path), pytest.raises(StoreDown, match="another worker"):
        buckets.take("alice", LIMITS)
    assert buckets.take("alice", LIMITS) == (0, True)


def test_a_short_turn_of_another_is_waited_for(tmp_path: Path, buckets: SharedBuckets) -> None:
    with held(tmp_path) as other:
        soon = threading.Timer(0.05, lambda: fcntl.flock(other, fcntl.LOCK_UN))
        soon.start()
        assert buckets.take("alice", LIMITS) == (0, True)
        soon.join()


def test_a_place_that_cannot_be_given_back_now_is_given_back_later(
    tmp_path: Path, buckets: SharedBuckets
) -> None:
    one = QuotaLimits(60, 1_000, 1)
    buckets.take("alice", one)
    with held(tmp_path):
        buckets.give("alice")
    assert buckets.take("alice", one) == (0, True)
    assert buckets.take("alice", one) == (0, False)


def test_thousands_find_room_and_who_is_idle_gives_way(
    buckets: SharedBuckets, clock: Clock
) -> None:
    for round in range(3):
        for number in range(10_000):
            assert buckets.take(f"{round}-{number}", LIMITS) == (0, True)
            buckets.give(f"{round}-{number}")
        clock.now += 1_000


def test_where_there_is_no_room_nothing_is_known(buckets: SharedBuckets) -> None:
    def crowd() -> None:
        for number in range(200_000):
            buckets.take(str(number), LIMITS)

    with pytest.raises(StoreDown, match="more principals at once"):
        crowd()


def test_a_lease_that_is_over_gives_all_back(
    tmp_path: Path, buckets: SharedBuckets, clock: Clock
) -> None:
    one = QuotaLimits(60, 1_000, 1)
    other = SharedBuckets(tmp_path / "quota", 1, 2, clock)
    other.renew()
    other.take("alice", one)
    clock.now += LEASE_MS
    buckets.renew()
    assert buckets.take("alice", one) == (0, False)
    clock.now += 1
    assert buckets.take("alice", one) == (0, True)
    other.close()


def _hammer(path: Path, worker: int, counted: "multiprocessing.Queue[int]") -> None:
    buckets = SharedBuckets(path, worker, 2, lambda: 1_000)
    buckets.renew()
    counted.put(sum(buckets.take("alice", PLENTY) == (0, True) for _ in range(8_000)))


def test_two_processes_never_take_more_than_there_is(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    counted: multiprocessing.Queue[int] = context.Queue()
    processes = [
        context.Process(target=_hammer, args=(tmp_path / "quota", worker, counted))
        for worker in (0, 1)
    ]
    for process in processes:
        process.start()
    got = [counted.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sum(got) == 10_000
