"""What every store of used proofs must do."""

import asyncio
from collections.abc import Callable

import pytest

from lockgate.store.used_proofs import SWEEP_MS, MemoryProofs, StoredProofs

Store = StoredProofs | MemoryProofs


class Clock:
    now = 2 * SWEEP_MS

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def opener(request: pytest.FixtureRequest, clock: Clock) -> Callable[[], Store]:
    if request.param == "memory":
        shared = MemoryProofs(clock)
        return lambda: shared
    engine = request.getfixturevalue(request.param)
    return lambda: StoredProofs(engine, clock)


async def test_each_is_used_once_whichever_worker_is_asked(
    opener: Callable[[], Store], clock: Clock
) -> None:
    here, there = opener(), opener()
    assert await here.use("a", clock.now + 1_000)
    assert not await here.use("a", clock.now + 1_000)
    assert not await there.use("a", clock.now + 1_000)
    assert await there.use("b", clock.now + 1_000)


async def test_of_many_at_the_same_time_one_is_the_first(
    opener: Callable[[], Store], clock: Clock
) -> None:
    stores = [opener() for _ in range(4)]
    used = await asyncio.gather(*(stores[n % 4].use("a", clock.now + 1_000) for n in range(20)))
    assert sum(used) == 1


async def test_they_are_forgotten_when_they_are_too_old_to_be_accepted(
    opener: Callable[[], Store], clock: Clock
) -> None:
    store = opener()
    assert await store.use("a", clock.now + 1_000)
    clock.now += 2 * SWEEP_MS
    assert await store.use("b", clock.now + 1_000)
    assert await store.use("a", clock.now + 1_000)
