"""What every store of approvals must do."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from lockgate.model import Approval, StoreDown
from lockgate.store.approvals import MemoryApprovals, StoredApprovals

Store = StoredApprovals | MemoryApprovals


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
        shared = MemoryApprovals(clock)
        return lambda: shared
    engine: Engine = request.getfixturevalue(request.param)

    def another() -> StoredApprovals:
        made = StoredApprovals(engine, clock)
        made.refresh(clock.now)
        return made

    return another


@pytest.fixture
def store(opener: Callable[[], Store]) -> Store:
    return opener()


def approval(name: str, expires: int = 2_000) -> Approval:
    return Approval(id=name, binding="b", factor="owner", approver="carol", expires=expires)


def test_what_was_given_stands_for_its_call_only(store: Store) -> None:
    store.give(approval("a1"), "call-1")
    store.give(approval("a2"), "call-1")
    assert store.standing("call-1") == (approval("a1"), approval("a2"))
    assert store.standing("call-2") == ()


def test_an_id_is_given_once(store: Store) -> None:
    store.give(approval("a1"), "call-1")
    with pytest.raises(StoreDown):
        store.give(approval("a1"), "call-2")
    assert store.standing("call-2") == ()


def test_an_expired_approval_does_not_stand(store: Store, clock: Clock) -> None:
    store.give(approval("a1", expires=1_500), "call-1")
    clock.now = 1_499
    assert store.standing("call-1") == (approval("a1", expires=1_500),)
    clock.now = 1_500
    assert store.standing("call-1") == ()


async def test_it_is_used_once_and_stands_no_more(store: Store) -> None:
    store.give(approval("a1"), "call-1")
    assert await store.consume([approval("a1")])
    assert store.standing("call-1") == ()
    assert not await store.consume([approval("a1")])


async def test_a_used_id_is_not_given_again(store: Store) -> None:
    store.give(approval("a1"), "call-1")
    assert await store.consume([approval("a1")])
    with pytest.raises(StoreDown):
        store.give(approval("a1"), "call-1")


async def test_using_nothing_needs_nothing(store: Store) -> None:
    assert await store.consume([])


async def test_an_expired_one_is_not_used(store: Store, clock: Clock) -> None:
    store.give(approval("a1", expires=1_500), "call-1")
    clock.now = 1_500
    assert not await store.consume([approval("a1", expires=1_500)])


async def test_all_are_used_or_none(store: Store) -> None:
    store.give(approval("a1"), "call-1")
    store.give(approval("a2"), "call-1")
    assert not await store.consume([approval("a1"), approval("never-given"), approval("a2")])
    assert store.standing("call-1") == (approval("a1"), approval("a2"))
    assert await store.consume([approval("a1"), approval("a2")])


async def test_one_does_not_count_for_two(store: Store) -> None:
    store.give(approval("a1"), "call-1")
    assert not await store.consume([approval("a1"), approval("a1")])
    assert store.standing("call-1") == (approval("a1"),)


async def test_of_many_who_use_it_at_once_exactly_one_wins(opener: Callable[[], Store]) -> None:
    opener().give(approval("a1"), "call-1")
    workers = [opener() for _ in range(8)]
    won = await asyncio.gather(*(w.consume([approval("a1")]) for w in workers))
    assert sorted(won) == [False] * 7 + [True]


def test_another_worker_sees_it_after_a_refresh(opener: Callable[[], Store]) -> None:
    here, there = opener(), opener()
    here.give(approval("a1"), "call-1")
    there.refresh(1_000)
    assert there.standing("call-1") == (approval("a1"),)
