import asyncio
from typing import Any

import pytest

from lockgate.approval.channels import AnyChannel, NotTaken
from lockgate.approval.delivery import (
    FIRST_WAIT_MS,
    LEASE_MS,
    LONGEST_WAIT_MS,
    MOST_TRIES,
    OLDEST_MS,
    Delivery,
    Surroundings,
    wait_after,
)
from lockgate.approval.messages import Message
from lockgate.model import AuditEvent, StoreDown
from lockgate.model.notification import Notification
from lockgate.store.memory_inquiries import MemoryInquiries
from lockgate.store.memory_notifications import MemoryNotifications
from support.channels import slack, webhook
from support.inquiries import AT, inquiry
from support.paper_server import PaperServer

OPS = webhook(PaperServer())


class World:
    def __init__(self) -> None:
        self.now = AT
        self.store = MemoryNotifications()
        self.inquiries = MemoryInquiries(lambda: self.now)
        self.noted: list[AuditEvent] = []
        self.sent: list[Message] = []
        self.trouble: Exception | None = None
        self.inquiries.add(inquiry(expires=AT + 10**9), b"")

    def worker(self) -> Delivery:
        around = Surroundings(self.noted.append, lambda: self.now, lambda: "e", lambda: "")
        return Delivery(self.store, self.inquiries, self.send, around)

    async def send(self, channel: AnyChannel, message: Message) -> None:
        self.sent.append(message)
        if self.trouble is not None:
            raise self.trouble

    def put(self, *ids: str, **changes: Any) -> None:
        given: dict[str, Any] = {"channel": "ops", "kind": "asked", "made": AT, "due": AT}
        self.store.put([Notification(inquiry=id, **{**given, **changes}) for id in ids or ("q1",)])

    @property
    def health(self) -> tuple[int, int, str]:
        found = self.store.health()["ops"]
        return found.waiting, found.dead, found.fault


async def test_it_is_sent_once_and_put_on_record_without_a_person() -> None:
    world = World()
    world.put()
    assert await world.worker().one(OPS)
    assert not await world.worker().one(OPS)
    (event,) = world.noted
    assert event.header["action"] == "approval.told"
    assert (event.header["channel"], event.header["target"]) == ("ops", "q1")
    assert (event.header["step"], event.header["told"]) == ("asked", "sent")
    assert "alice" not in str(event.header)
    assert event.slots == {}


async def test_two_workers_send_it_once() -> None:
    world = World()
    world.put()
    done = await asyncio.gather(*(world.worker().one(OPS) for _ in range(8)))
    assert (sum(done), len(world.sent)) == (1, 1)


async def test_a_failing_channel_is_tried_again_and_then_given_up() -> None:
    world = World()
    world.put()
    world.trouble = NotTaken("it answered 500")
    while await world.worker().one(OPS):
        world.now += LONGEST_WAIT_MS
    assert len(world.sent) == MOST_TRIES
    assert len({message.id for message in world.sent}) == 1
    assert world.health == (0, 1, "it answered 500")
    assert [event.header["told"] for event in world.noted] == ["given up"]


async def test_not_before_its_time() -> None:
    world = World()
    world.put()
    world.trouble = NotTaken("busy", wait=30_000)
    await world.worker().one(OPS)
    world.now += 29_999
    assert not await world.worker().one(OPS)
    world.now += 1
    assert await world.worker().one(OPS)


async def test_what_cannot_get_better_is_not_tried_again() -> None:
    world = World()
    world.put()
    world.trouble = NotTaken("it answered 410", final=True)
    await world.worker().one(OPS)
    assert world.health == (0, 1, "it answered 410")


async def test_whoever_dies_between_sending_and_noting_it_sends_it_again_under_the_same_id() -> (
    None
):
    world = World()
    world.put()
    world.trouble = RuntimeError("the process ends here")
    with pytest.raises(RuntimeError):
        await world.worker().one(OPS)
    world.trouble = None
    assert not await world.worker().one(OPS)
    world.now += LEASE_MS
    assert await world.worker().one(OPS)
    assert len({message.id for message in world.sent}) == 1
    assert len(world.noted) == 1


async def test_nobody_is_told_of_what_was_answered_meanwhile() -> None:
    world = World()
    world.inquiries.add(inquiry("q2", digest="2", expires=AT + 10**9), b"")
    world.put("q1", "q2", "unknown")
    world.inquiries.replace(inquiry(state="denied", version=2))
    assert await world.worker().one(OPS)
    (message,) = world.sent
    assert [one.id for one in message.questions] == ["q2"]
    assert world.health[0] == 0


async def test_news_of_yesterday_is_none() -> None:
    world = World()
    world.put(kind="decided", made=AT - OLDEST_MS - 1)
    assert await world.worker().one(OPS)
    assert (world.sent, world.health[0]) == ([], 0)


async def test_nothing_is_left_of_it() -> None:
    world = World()
    world.put()
    world.inquiries.replace(inquiry(state="denied", version=2))
    assert await world.worker().one(OPS)
    assert (world.sent, world.noted) == ([], [])


async def test_how_it_ended_is_told_of_what_is_over() -> None:
    world = World()
    world.put(kind="decided")
    world.inquiries.replace(inquiry(state="denied", version=2))
    await world.worker().one(OPS)
    assert world.sent[0].questions[0].state == "denied"


async def test_what_comes_soon_after_waits_and_is_one_message() -> None:
    world = World()
    chat = slack(PaperServer(), gap=15_000)
    world.put(channel="chat")
    assert await world.worker().one(chat)
    for n in (2, 3, 4):
        world.inquiries.add(inquiry(f"q{n}", digest=str(n), expires=AT + 10**9), b"")
    world.put("q2", "q3", "q4", channel="chat")
    assert not await world.worker().one(chat)
    world.now += 15_000
    assert await world.worker().one(chat)
    assert [len(message.questions) for message in world.sent] == [1, 3]


async def test_without_a_store_nothing_is_sent() -> None:
    class Down(MemoryNotifications):
        def lease(self, *_: object) -> list[Notification]:
            raise StoreDown("gone")

    world = World()
    world.store = Down()
    with pytest.raises(StoreDown):
        await world.worker().one(OPS)
    assert world.sent == []


def test_waiting_doubles_up_to_a_minute() -> None:
    waits = [wait_after(tries) for tries in range(1, MOST_TRIES + 1)]
    assert waits[:3] == [FIRST_WAIT_MS, 2 * FIRST_WAIT_MS, 4 * FIRST_WAIT_MS]
    assert waits[-1] == LONGEST_WAIT_MS


async def test_what_no_try_survives_does_not_block_its_channel() -> None:
    """It raises what nobody thought of, and the lease passes with nothing noted."""
    world = World()
    world.put()
    world.trouble = RuntimeError("nobody thought of it")
    for _ in range(MOST_TRIES):
        with pytest.raises(RuntimeError):
            await world.worker().one(OPS)
        world.now += LEASE_MS + 1
    assert await world.worker().one(OPS)
    assert len(world.sent) == MOST_TRIES
    assert world.health == (0, 1, "no try came to an end")
