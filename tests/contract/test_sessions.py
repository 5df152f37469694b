"""What every store of ended sessions must do."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from lockgate.store.sessions import MemorySessions, StoredSessions

Store = StoredSessions | MemorySessions


class Clock:
    now = 1_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def opener(request: pytest.FixtureRequest, clock: Clock) -> Callable[[], Store]:
    if request.param == "memory":
        shared = MemorySessions(clock)
        return lambda: shared
    engine: Engine = request.getfixturevalue(request.param)

    def another() -> StoredSessions:
        made = StoredSessions(engine, clock)
        made.refresh(clock.now)
        return made

    return another


async def test_a_session_lives_until_it_is_ended(opener: Callable[[], Store]) -> None:
    store = opener()
    assert not store.ended("s1")
    await store.end("s1", 5_000)
    assert store.ended("s1")
    assert not store.ended("s2")


async def test_ending_twice_is_ending_once(opener: Callable[[], Store]) -> None:
    store = opener()
    await store.end("s1", 5_000)
    await store.end("s1", 6_000)
    assert store.ended("s1")


async def test_a_restarted_gateway_still_knows(opener: Callable[[], Store]) -> None:
    await opener().end("s1", 5_000)
    assert opener().ended("s1")


async def test_another_worker_sees_it_after_a_refresh(opener: Callable[[], Store]) -> None:
    here, there = opener(), opener()
    await here.end("s1", 5_000)
    there.refresh(1_000)
    assert there.ended("s1")


async def test_rows_are_dropped_when_the_session_would_be_over_anyway(
    opener: Callable[[], Store], clock: Clock
) -> None:
    store = opener()
    await store.end("s1", 1_500)
    clock.now = 1_500
    await store.end("s2", 9_000)
    assert not store.ended("s1")
    assert store.ended("s2")
