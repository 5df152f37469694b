"""Who changes something, and putting that on record before it is done."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from lockgate.model import AuditEvent, Slot
from lockgate.model.inquiry import Via


class EventAppender(Protocol):
    """Blocks; durable on return. Raises ``model.StoreDown``."""

    def append(self, events: Sequence[AuditEvent]) -> None: ...


class Actor(msgspec.Struct, frozen=True):
    """Who does it, as the machine or the identity provider says: never an option or a form."""

    identity: str
    """``oidc:SUBJECT``, ``os:ACCOUNT``, ``recovery``, or the name of a part that acts by itself."""
    via: Via = "cli"
    account: str = ""
    """What the machine calls them (the operating system account, and whose it is used as), or the
    identity provider. Only told."""
    alias: str = ""
    """What policy calls them, where that is another name."""

    def told(self) -> bytes:
        """For the journal's slot ``actor``."""
        known = {"identity": self.identity, "account": self.account, "via": self.via}
        return json.dumps({name: value for name, value in known.items() if value}).encode()


class Acting(msgspec.Struct, frozen=True):
    """What every service that changes something needs of its surroundings."""

    actor: Actor
    events: EventAppender
    now_ms: Callable[[], int]
    random_bytes: Callable[[int], bytes]

    def new_id(self) -> str:
        return self.random_bytes(16).hex()

    def record(self, *events: AuditEvent) -> None:
        """All of them or none, before what they say is done. Raises ``StoreDown`` and
        ``EventRefused``."""
        self.events.append(events)

    def event(
        self,
        about: Mapping[str, object],
        whom: Mapping[str, object] | None = None,
        *,
        at: int,
        call: str = "",
    ) -> AuditEvent:
        """``about``: kept for good, and names no person; ``whom``: who or what private it is about,
        kept apart."""
        slots: dict[Slot, bytes] = {"actor": self.actor.told()}
        if whom is not None:
            slots["subject"] = json.dumps(whom).encode()
        return AuditEvent(
            self.new_id(), call, "admin.changed", at, "permit", "admin.changed", about, slots
        )
