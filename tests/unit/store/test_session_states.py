"""The contract is in ``tests/contract/test_session_states.py``."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from lockgate.model import StoreDown
from lockgate.model.session import SessionState
from lockgate.store.session_states import SWEEP_MS, StoredSessionStates

LOUD = SessionState(level="debug")


class Clock:
    now = 1_000

    def __call__(self) -> int:
        return self.now


async def test_a_copy_that_is_too_old_does_not_answer(engine: Engine) -> None:
    clock = Clock()
    store = StoredSessionStates(engine, clock)
    with pytest.raises(StoreDown):
        store.load("s1")
    store.refresh(clock.now)
    assert store.load("s1") == SessionState()
    clock.now = 3_001
    with pytest.raises(StoreDown):
        store.load("s1")


async def test_without_a_database_nothing_is_kept(engine: Engine) -> None:
    store = StoredSessionStates(engine, clock := Clock())
    store.refresh(clock.now)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE session_state"))
    with pytest.raises(StoreDown):
        await store.change("s1", lambda _: LOUD, 5_000)
    assert store.load("s1") == SessionState(), "what is not durable is not said to be so"


async def test_only_what_changed_is_read_again(engine: Engine) -> None:
    here, there = (StoredSessionStates(engine, Clock()) for _ in range(2))
    for store in (here, there):
        store.refresh(1_000)
    await here.change("s1", lambda _: LOUD, 5_000)
    there.refresh(1_000)
    with engine.begin() as connection:
        connection.execute(text("UPDATE session_state SET state = 'no JSON' WHERE id = 's1'"))
    await here.change("s2", lambda _: LOUD, 5_000)
    there.refresh(1_000)
    assert (there.load("s1"), there.load("s2")) == (LOUD, LOUD)


async def test_those_that_are_over_are_forgotten_in_time(engine: Engine) -> None:
    store = StoredSessionStates(engine, clock := Clock())
    clock.now = SWEEP_MS
    store.refresh(clock.now)
    await store.change("old", lambda _: LOUD, SWEEP_MS + 5)
    clock.now = 2 * SWEEP_MS
    await store.change("new", lambda _: LOUD, 3 * SWEEP_MS)
    with engine.connect() as connection:
        kept = connection.scalars(text("SELECT id FROM session_state")).all()
    assert kept == ["new"]


async def test_saving_does_not_use_the_threads_of_others(engine: Engine) -> None:
    store = StoredSessionStates(engine, Clock())
    loop = asyncio.get_running_loop()
    mine = ThreadPoolExecutor(1)
    loop.set_default_executor(mine)
    release = threading.Event()
    loop.run_in_executor(None, release.wait, 10)
    try:
        await asyncio.wait_for(store.change("s1", lambda _: LOUD, 5_000), 5)
    finally:
        release.set()
