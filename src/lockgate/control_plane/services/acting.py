"""Who changes something, and putting that on record before it is done."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from lockgate.model import AuditEvent, Slot


class EventAppender(Protocol):
    """Blocks; durable on return. Raises ``model.StoreDown``."""

    def append(self, events: Sequence[AuditEvent]) -> None: ...


class Actor(msgspec.Struct, frozen=True):
    """Who asks for the change, and by which way."""

    account: str
    """Of the operating system, or what stands for one."""
    via: str = "cli"


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
        slots: dict[Slot, bytes] = {"actor": json.dumps(msgspec.to_builtins(self.actor)).encode()}
        if whom is not None:
            slots["subject"] = json.dumps(whom).encode()
        return AuditEvent(
            self.new_id(), call, "admin.changed", at, "permit", "admin.changed", about, slots
        )
