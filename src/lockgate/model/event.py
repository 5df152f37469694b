"""What happened."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

EventKind = Literal[
    "call.intent", "call.outcome", "call.refused", "auth.refused",
    "session.opened", "session.closed", "tool.changed", "admin.changed",
    "account.connected", "approval.changed",
]  # fmt: skip
Slot = Literal["actor", "subject", "args", "result", "net"]


class AuditEvent(msgspec.Struct, frozen=True):
    """One journal row. ``header`` is kept for good and holds no personal data; each slot is
    personal or confidential, with its own retention, and can be destroyed on its own."""

    id: str
    call: str
    """Call id: an intent and its outcome share it."""
    kind: EventKind
    at: int
    """Milliseconds since the Unix epoch."""
    effect: str
    reason: str
    header: Mapping[str, Any] = {}
    """Method, upstream, target, digests, verdicts, and the facts that decided."""
    slots: Mapping[Slot, bytes] = {}
    """Raw JSON for each slot."""


class Recorded(msgspec.Struct, frozen=True):
    """An event as read back, with its place in the journal."""

    seq: int
    """Ascending in the order of writing; gaps are possible."""
    event: AuditEvent
