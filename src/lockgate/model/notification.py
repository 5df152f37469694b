"""Telling people that a question waits for them. Times are in milliseconds since the Unix epoch."""

import hashlib
from typing import Literal

import msgspec

NotificationKind = Literal["asked", "escalated", "expiring", "decided"]
NotificationState = Literal["waiting", "sent", "needless", "dead"]
"""``needless``: by then there was nothing left to answer. ``dead``: given up."""


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One step of one question, for one channel."""

    channel: str
    inquiry: str
    kind: NotificationKind
    made: int
    due: int
    """Not to be tried before."""
    state: NotificationState = "waiting"
    message: str = ""
    """Id of the message that it goes out in, with others maybe: the same however often it is tried,
    so that a receiver knows what it has seen."""
    begun: int = 0
    """When that message was first tried."""
    tries: int = 0
    leased: int = 0
    """Until then one worker is at it."""
    ended: int = 0
    fault: str = ""
    """Why the last try failed; never what was sent, nor a secret."""

    @property
    def id(self) -> str:
        """The same step of the same question has one row in each channel, whoever writes it."""
        named = "\0".join((self.channel, self.inquiry, self.kind))
        return hashlib.sha256(named.encode()).hexdigest()[:32]


class ChannelHealth(msgspec.Struct, frozen=True):
    """How one channel does. 0 where it never happened."""

    succeeded: int = 0
    failed: int = 0
    """When a try failed last."""
    fault: str = ""
    """Of the message that failed last."""
    waiting: int = 0
    dead: int = 0
