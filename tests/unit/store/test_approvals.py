"""The contract is in ``tests/contract/test_approvals.py``."""

import pytest
from sqlalchemy import Engine, text

from lockgate.model import Approval, StoreDown
from lockgate.store.approvals import StoredApprovals


class Clock:
    now = 1_000

    def __call__(self) -> int:
        return self.now


GIVEN = Approval(id="a1", binding="b", factor="owner", approver="carol", expires=90_000)


def test_a_copy_that_is_too_old_does_not_answer(engine: Engine) -> None:
    clock = Clock()
    store = StoredApprovals(engine, clock)
    with pytest.raises(StoreDown):
        store.standing("call-1")
    store.give(GIVEN, "call-1")
    assert store.standing("call-1") == (GIVEN,)
    clock.now = 3_001
    with pytest.raises(StoreDown):
        store.standing("call-1")


async def test_the_database_decides_not_the_copy(engine: Engine) -> None:
    clock = Clock()
    here, there = StoredApprovals(engine, clock), StoredApprovals(engine, clock)
    here.give(GIVEN, "call-1")
    there.refresh(clock.now)
    assert await here.consume([GIVEN])
    assert there.standing("call-1") == (GIVEN,), "its copy does not know yet"
    assert not await there.consume([GIVEN])


async def test_the_time_of_use_is_kept(engine: Engine) -> None:
    store = StoredApprovals(engine, Clock())
    store.give(GIVEN, "call-1")
    await store.consume([GIVEN])
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT used_at FROM approval")) == 1_000


async def test_without_a_database_nothing_is_used(engine: Engine) -> None:
    store = StoredApprovals(engine, Clock())
    store.give(GIVEN, "call-1")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE approval"))
    with pytest.raises(StoreDown):
        await store.consume([GIVEN])
    with pytest.raises(StoreDown):
        store.give(GIVEN, "call-1")
