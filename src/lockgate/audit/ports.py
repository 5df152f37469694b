"""What the journal needs from a store. ``store`` satisfies it, ``app/wiring.py`` joins them."""

from collections.abc import Sequence
from typing import Protocol

from lockgate.model import AuditEvent, Recorded


class EventStore(Protocol):
    """Append-only. Every method blocks and raises ``model.StoreDown``."""

    def append(self, events: Sequence[AuditEvent]) -> None:
        """All in one transaction, durable on return; none at all when it raises.

        An empty sequence writes nothing but fails where a write would. Raises
        ``model.EventRefused`` when one event is the trouble, as one whose id is on record.
        """
        ...

    def tail(self, limit: int, after_seq: int | None = None) -> Sequence[Recorded]:
        """The newest ``limit``, or the first ``limit`` after ``after_seq``; oldest first."""
        ...

    def by_call(self, call_id: str) -> Sequence[Recorded]:
        """In the order of writing."""
        ...

    def by_event(self, event_id: str) -> Recorded | None: ...

    def count(self) -> int: ...
