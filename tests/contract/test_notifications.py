"""What every outbox of notifications must do."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine

from lockgate.model.notification import Notification
from lockgate.store.memory_notifications import MemoryNotifications
from lockgate.store.notifications import MOST_IN_ONE, StoredNotifications

Store = StoredNotifications | MemoryNotifications
NOW = 1_000_000
LEASE = 60_000


def row(inquiry: str = "q1", **changes: Any) -> Notification:
    one = Notification(channel="ops", inquiry=inquiry, kind="asked", made=NOW, due=NOW)
    return replace(one, **changes)


def lease(store: Store, now: int = NOW, channel: str = "ops", gap: int = 0) -> list[Notification]:
    return list(store.lease(channel, now, now + LEASE, now - gap))


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def opener(request: pytest.FixtureRequest) -> Callable[[], Store]:
    """Opens the same rows again and again, as several workers would."""
    if request.param == "memory":
        shared = MemoryNotifications()
        return lambda: shared
    engine: Engine = request.getfixturevalue(request.param)
    return lambda: StoredNotifications(engine)


@pytest.fixture
def store(opener: Callable[[], Store]) -> Store:
    return opener()


def test_what_is_put_twice_is_told_once(opener: Callable[[], Store]) -> None:
    here, there = opener(), opener()
    here.put([row()])
    there.put([row(made=NOW + 5), row("q2")])
    assert here.health()["ops"].waiting == 2
    assert sorted((one.inquiry, one.made) for one in lease(there)) == [("q1", NOW), ("q2", NOW)]


def test_nothing_waits(store: Store) -> None:
    store.put([])
    assert lease(store) == []
    assert store.health() == {}


def test_a_message_has_the_same_id_at_every_try(store: Store) -> None:
    store.put([row()])
    first = lease(store)
    assert [(one.message, one.tries, one.begun) for one in first] == [(row().id, 1, NOW)]
    assert lease(store) == []
    assert store.retry(first, NOW + 500, NOW + 1, "no answer")
    assert lease(store, NOW + 499) == []
    second = lease(store, NOW + 500)
    assert [(one.message, one.tries, one.begun) for one in second] == [(row().id, 2, NOW)]


def test_whoever_leased_it_and_died_is_followed_by_another(opener: Callable[[], Store]) -> None:
    here, there = opener(), opener()
    here.put([row()])
    lost = lease(here)
    there.put([row("q2")])
    assert lease(there, NOW + LEASE - 1) == []
    found = lease(there, NOW + LEASE)
    assert [(one.inquiry, one.message) for one in found] == [("q1", row().id)]
    assert not here.finish(lost, "sent", NOW + LEASE)
    assert not here.retry(lost, NOW, NOW + LEASE, "late")
    assert there.finish(found, "sent", NOW + LEASE + 1)
    assert there.health()["ops"].succeeded == NOW + LEASE + 1


def test_what_waits_goes_out_together_and_each_kind_by_itself(store: Store) -> None:
    store.put([row("q1"), row("q2", made=NOW + 1), row("q3", made=NOW + 2, kind="decided")])
    first = lease(store, NOW + 5)
    assert [one.inquiry for one in first] == ["q1", "q2"]
    assert {one.message for one in first} == {row("q1").id}
    assert store.finish(first, "sent", NOW + 5)
    assert [one.inquiry for one in lease(store, NOW + 5)] == ["q3"]


def test_not_more_than_fit_into_one(store: Store) -> None:
    store.put([row(f"q{n}") for n in range(MOST_IN_ONE + 1)])
    first = lease(store)
    assert len(first) == MOST_IN_ONE
    store.finish(first, "sent", NOW)
    assert len(lease(store)) == 1


def test_not_again_too_soon(store: Store) -> None:
    store.put([row()])
    store.finish(lease(store), "sent", NOW)
    store.put([row("q2"), row("q3")])
    assert lease(store, NOW + 9, gap=10) == []
    assert len(lease(store, NOW + 10, gap=10)) == 2


def test_a_channel_that_fails_holds_up_only_itself(store: Store) -> None:
    store.put([row(), row(channel="mail")])
    store.retry(lease(store), NOW + 500, NOW, "refused")
    assert [one.channel for one in lease(store, channel="mail")] == ["mail"]
    assert store.health()["ops"].fault == "refused"


def test_what_is_not_due_waits(store: Store) -> None:
    store.put([row(due=NOW + 5)])
    assert lease(store) == []
    assert len(lease(store, NOW + 5)) == 1


def test_some_of_a_message_may_be_needless(store: Store) -> None:
    store.put([row("q1"), row("q2")])
    found = lease(store)
    assert store.finish(found[:1], "needless", NOW)
    assert store.finish(found[1:], "dead", NOW + 1, "gone for good")
    assert not store.finish(found, "sent", NOW + 2)
    health = store.health()["ops"]
    assert (health.waiting, health.dead, health.failed, health.succeeded) == (0, 1, NOW + 1, 0)
    assert health.fault == "gone for good"


def test_how_a_question_ended_is_still_to_be_told(store: Store) -> None:
    store.put([row("q1"), row("q2"), row("q3", channel="mail"), row("q2", kind="decided")])
    assert store.undecided("ops") == {"q1"}
    assert store.undecided("mail") == {"q3"}


def test_what_is_old_is_forgotten(store: Store) -> None:
    store.put([row("q1"), row("q2", made=NOW + 5, due=NOW + 5)])
    store.finish(lease(store), "sent", NOW)
    assert store.forget(NOW) == 0
    assert store.forget(NOW + 1) == 1
    assert store.health()["ops"].waiting == 1
    assert store.forget(NOW + 6) == 1
    assert store.health() == {}


async def test_of_two_workers_one_gets_it(opener: Callable[[], Store]) -> None:
    opener().put([row()])
    workers = [opener() for _ in range(8)]
    found = await asyncio.gather(*(asyncio.to_thread(lease, one) for one in workers))
    assert sum(len(one) for one in found) == 1
