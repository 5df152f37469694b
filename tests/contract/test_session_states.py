"""What every store of session states must do."""

import asyncio
from collections.abc import Callable

import pytest

from lockgate.model.session import SessionState
from lockgate.store.session_states import MemorySessionStates, StoredSessionStates

Store = StoredSessionStates | MemorySessionStates

CHATTY = SessionState(level="debug", subscribed=frozenset({"file:///a", "note://\0/é"}))
QUIET = SessionState(level="error")


class Clock:
    now = 1_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def opener(request: pytest.FixtureRequest, clock: Clock) -> Callable[[], Store]:
    """Opens the same rows again and again, as several workers would."""
    if request.param == "memory":
        shared = MemorySessionStates(clock)
        return lambda: shared
    engine = request.getfixturevalue(request.param)

    def another() -> StoredSessionStates:
        made = StoredSessionStates(engine, clock)
        made.refresh(clock.now)
        return made

    return another


async def test_what_nobody_set_is_the_default(opener: Callable[[], Store]) -> None:
    assert opener().load("s1") == SessionState()


async def test_what_was_set_is_there_at_once_and_only_for_its_session(
    opener: Callable[[], Store],
) -> None:
    store = opener()
    await store.change("s1", lambda _: CHATTY, 5_000)
    assert store.load("s1") == CHATTY
    assert store.load("s2") == SessionState()


async def test_the_last_one_stays(opener: Callable[[], Store]) -> None:
    store = opener()
    await store.change("s1", lambda _: CHATTY, 5_000)
    await store.change("s1", lambda _: QUIET, 5_000)
    assert store.load("s1") == QUIET
    assert opener().load("s1") == QUIET


async def test_a_restarted_gateway_still_knows(opener: Callable[[], Store]) -> None:
    await opener().change("s1", lambda _: CHATTY, 5_000)
    assert opener().load("s1") == CHATTY


async def test_another_worker_sees_each_change_after_a_refresh(
    opener: Callable[[], Store], clock: Clock
) -> None:
    here, there = opener(), opener()
    await here.change("s1", lambda _: CHATTY, 5_000)
    await there.change("s2", lambda _: QUIET, 5_000)
    here.refresh(clock.now)
    there.refresh(clock.now)
    assert (here.load("s2"), there.load("s1")) == (QUIET, CHATTY)
    await there.change("s1", lambda _: QUIET, 5_000)
    here.refresh(clock.now)
    assert here.load("s1") == QUIET


async def test_each_change_starts_from_what_another_worker_wrote(
    opener: Callable[[], Store],
) -> None:
    stores = opener(), opener()

    def adding(uri: str) -> Callable[[SessionState], SessionState]:
        return lambda held: SessionState(subscribed=held.subscribed | {uri})

    uris = [f"file:///{number}" for number in range(20)]
    told = await asyncio.gather(
        *(stores[n % 2].change("s1", adding(uri), 5_000) for n, uri in enumerate(uris))
    )
    assert sorted(len(state.subscribed) for state in told) == list(range(1, 21))
    for store in stores:
        await store.renew()
        assert store.load("s1").subscribed == frozenset(uris)


async def test_a_change_after_the_end_starts_anew(
    opener: Callable[[], Store], clock: Clock
) -> None:
    store = opener()
    await store.change("s1", lambda _: CHATTY, 1_500)
    clock.now = 1_500
    assert await store.change("s1", lambda held: held, 5_000) == SessionState()


async def test_a_session_that_is_over_has_no_state(
    opener: Callable[[], Store], clock: Clock
) -> None:
    store = opener()
    await store.change("s1", lambda _: CHATTY, 1_500)
    clock.now = 1_499
    assert store.load("s1") == CHATTY
    clock.now = 1_500
    assert store.load("s1") == SessionState()
