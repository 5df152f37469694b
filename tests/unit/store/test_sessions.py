"""The contract is in ``tests/contract/test_sessions.py``."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from lockgate.model import StoreDown
from lockgate.store.sessions import SWEEP_MS, StoredSessions


class Clock:
    now = 1_000

    def __call__(self) -> int:
        return self.now


async def test_a_copy_that_is_too_old_does_not_answer(engine: Engine) -> None:
    clock = Clock()
    store = StoredSessions(engine, clock)
    with pytest.raises(StoreDown):
        store.ended("s1")
    store.refresh(clock.now)
    assert not store.ended("s1")
    clock.now = 3_001
    with pytest.raises(StoreDown):
        store.ended("s1")


async def test_without_a_database_no_session_is_ended(engine: Engine) -> None:
    store = StoredSessions(engine, Clock())
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE ended_session"))
    with pytest.raises(StoreDown):
        await store.end("s1", 5_000)


class Counting(StoredSessions):
    """Counts how often all rows were read."""

    reads = 0

    def changed(self, since: int) -> tuple[int, dict[str, int]] | None:
        found = super().changed(since)
        self.reads += found is not None
        return found


async def test_ending_reads_nothing_again(engine: Engine) -> None:
    store, other = Counting(engine, clock := Clock()), Counting(engine, clock)
    store.refresh(clock.now)
    other.refresh(clock.now)
    for n in range(5):
        await store.end(f"s{n}", 5_000)
    store.refresh(clock.now)
    assert store.ended("s4")
    assert store.reads == 1
    await other.end("other", 5_000)
    assert other.ended("other")
    store.refresh(clock.now)
    other.refresh(clock.now)
    assert store.ended("other")
    assert other.ended("s0")
    assert (store.reads, other.reads) == (2, 2)


async def test_endings_do_not_use_the_threads_of_others(engine: Engine) -> None:
    store = StoredSessions(engine, Clock())
    loop = asyncio.get_running_loop()
    mine = ThreadPoolExecutor(1)
    loop.set_default_executor(mine)
    release = threading.Event()
    loop.run_in_executor(None, release.wait, 10)
    try:
        await asyncio.wait_for(store.end("s1", 5_000), 5)
    finally:
        release.set()


async def test_those_that_are_over_are_forgotten_in_time(engine: Engine) -> None:
    store = StoredSessions(engine, clock := Clock())
    clock.now = SWEEP_MS
    store.refresh(clock.now)
    await store.end("old", SWEEP_MS + 5)
    clock.now = 2 * SWEEP_MS
    await store.end("new", 3 * SWEEP_MS)
    with engine.connect() as connection:
        kept = connection.scalars(text("SELECT id FROM ended_session")).all()
    assert kept == ["new"]
