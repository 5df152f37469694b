"""Where approvers are told, how each of these places does, and a message to try one."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from lockgate.approval.channels import AnyChannel, NotTaken
from lockgate.approval.messages import Message
from lockgate.approval.ports import NotificationStore
from lockgate.control_plane.services.acting import Acting, EventAppender
from lockgate.control_plane.services.refused import Refused
from lockgate.model.notification import ChannelHealth


class Sends(Protocol):
    """One message to one channel, now. Blocks."""

    def __call__(self, channel: AnyChannel, message: Message) -> None:
        """Raises ``NotTaken``."""
        ...


class ChannelDesk(msgspec.Struct, frozen=True):
    """One deployment's channels and all that may be done with them."""

    channels: Mapping[str, AnyChannel]
    store: NotificationStore
    events: EventAppender
    send: Sends
    origin: str
    """Of the console; empty where there is none."""


class ChannelSeen(msgspec.Struct, frozen=True):
    channel: AnyChannel
    health: ChannelHealth

    @property
    def kind(self) -> str:
        return type(self.channel).__name__.lower()

    @property
    def fault(self) -> str:
        """What is wrong with it now; empty: nothing is known to be."""
        if self.channel.broken:
            return self.channel.broken
        return self.health.fault if self.health.failed > self.health.succeeded else ""


def channels_seen(desk: ChannelDesk) -> tuple[ChannelSeen, ...]:
    """By name. Raises ``StoreDown``."""
    health = desk.store.health()
    found = sorted(desk.channels.items())
    return tuple(ChannelSeen(one, health.get(name, ChannelHealth())) for name, one in found)


def send_test(desk: ChannelDesk, name: str, acting: Acting) -> str:
    """Why it was not taken; empty: it was. On record either way. Raises ``Refused`` where there is
    no such channel, and ``StoreDown``."""
    channel = desk.channels.get(name)
    if channel is None:
        known = ", ".join(sorted(desk.channels)) or "none"
        raise Refused(f"There is no channel {name}.", f"Configured (approvals.channels): {known}.")
    message = Message(acting.new_id(), "asked", acting.now_ms(), (), desk.origin)
    try:
        desk.send(channel, message)
        why = ""
    except NotTaken as failure:
        why = str(failure)
    told = "given up" if why else "sent"
    about = {"action": "approval.channel-tried", "channel": name, "message": message.id,
             "told": told}  # fmt: skip
    acting.record(acting.event(about, at=acting.now_ms()))
    return why
