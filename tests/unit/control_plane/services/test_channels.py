import hashlib

import pytest

from lockgate.approval.channels import AnyChannel, NotTaken
from lockgate.approval.messages import Message
from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.channels import (
    ChannelDesk,
    ChannelSeen,
    channels_seen,
    send_test,
)
from lockgate.control_plane.services.refused import Refused
from lockgate.model.notification import ChannelHealth, Notification
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.memory_notifications import MemoryNotifications
from support.channels import email, webhook
from support.paper_server import PaperServer

OPS, MAIL = webhook(PaperServer()), email(25)


class World:
    def __init__(self, why: str = "") -> None:
        self.why = why
        self.sent: list[Message] = []
        self.store, self.events = MemoryNotifications(), MemoryEvents()
        channels: dict[str, AnyChannel] = {"ops": OPS, "mail": MAIL}
        self.desk = ChannelDesk(channels, self.store, self.events, self.send, "")
        self.acting = Acting(Actor("opal"), self.events, lambda: 5, self.bytes)

    def send(self, channel: AnyChannel, message: Message) -> None:
        self.sent.append(message)
        if self.why:
            raise NotTaken(self.why)

    def bytes(self, count: int) -> bytes:
        return hashlib.shake_128(b"x").digest(count)


def test_each_is_seen_with_what_became_of_its_messages() -> None:
    world = World()
    world.store.put([Notification(channel="ops", inquiry="q1", kind="asked", made=1, due=1)])
    found = channels_seen(world.desk)
    assert [(one.channel.name, one.kind, one.health.waiting) for one in found] == [
        ("mail", "email", 0),
        ("ops", "webhook", 1),
    ]


def test_only_trouble_that_lasts_is_trouble() -> None:
    assert ChannelSeen(OPS, ChannelHealth(succeeded=2, failed=1, fault="500")).fault == ""
    assert ChannelSeen(OPS, ChannelHealth(succeeded=1, failed=2, fault="500")).fault == "500"
    broken = webhook(PaperServer(), broken="no secret")
    assert ChannelSeen(broken, ChannelHealth(succeeded=2)).fault == "no secret"


@pytest.mark.parametrize(("why", "told"), [("", "sent"), ("it answered 500", "given up")])
def test_a_test_is_on_record_whatever_came_of_it(why: str, told: str) -> None:
    world = World(why)
    assert send_test(world.desk, "ops", world.acting) == why
    assert [message.questions for message in world.sent] == [()]
    (row,) = world.events.tail(9)
    assert (row.event.header["channel"], row.event.header["told"]) == ("ops", told)


def test_an_unknown_channel() -> None:
    world = World()
    with pytest.raises(Refused) as caught:
        send_test(world.desk, "pager", world.acting)
    assert "mail, ops" in caught.value.remedy
    assert world.events.count() == 0
