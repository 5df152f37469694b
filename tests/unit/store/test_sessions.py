"""The contract is in ``tests/contract/test_sessions.py``."""

import pytest
from sqlalchemy import Engine, text

from lockgate.model import StoreDown
from lockgate.store.sessions import SqliteSessions


class Clock:
    now = 1_000

    def __call__(self) -> int:
        return self.now


async def test_a_copy_that_is_too_old_does_not_answer(engine: Engine) -> None:
    clock = Clock()
    store = SqliteSessions(engine, clock)
    with pytest.raises(StoreDown):
        store.ended("s1")
    store.refresh(clock.now)
    assert not store.ended("s1")
    clock.now = 3_001
    with pytest.raises(StoreDown):
        store.ended("s1")


async def test_without_a_database_no_session_is_ended(engine: Engine) -> None:
    store = SqliteSessions(engine, Clock())
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE ended_session"))
    with pytest.raises(StoreDown):
        await store.end("s1", 5_000)
