"""The journal's rows in memory: for tests, simulations and a gateway that must leave no trace."""

import threading
from collections.abc import Sequence

import msgspec
import orjson

from lockgate.model import AuditEvent, EventRefused, Recorded


class MemoryEvents:
    """Satisfies ``audit.ports.EventStore`` with the same contract as the database."""

    def __init__(self) -> None:
        self._rows: list[Recorded] = []
        self._ids: set[str] = set()
        self._lock = threading.Lock()

    def append(self, events: Sequence[AuditEvent]) -> None:
        """All or none. Raises ``EventRefused``."""
        taken = [_as_stored(e) for e in events]
        with self._lock:
            fresh: set[str] = set()
            for e in taken:
                if e.id in self._ids or e.id in fresh:
                    raise EventRefused(e.id, "its id is on record already", duplicate=True)
                fresh.add(e.id)
            for e in taken:
                self._rows.append(Recorded(len(self._rows) + 1, e))
            self._ids |= fresh

    def tail(self, limit: int, after_seq: int | None = None) -> tuple[Recorded, ...]:
        """The newest ``limit`` events, or the first ``limit`` after ``after_seq``; oldest first."""
        if after_seq is None:
            return tuple(self._rows[max(0, len(self._rows) - limit) :])
        return tuple(self._rows[after_seq : after_seq + limit])

    def by_call(self, call_id: str) -> tuple[Recorded, ...]:
        return tuple(r for r in self._rows if r.event.call == call_id)

    def by_event(self, event_id: str) -> Recorded | None:
        return next((r for r in self._rows if r.event.id == event_id), None)

    def count(self) -> int:
        return len(self._rows)


def _as_stored(e: AuditEvent) -> AuditEvent:
    """A copy by way of JSON: what was read back never changes with the caller's objects."""
    try:
        header = orjson.loads(orjson.dumps(e.header))
    except orjson.JSONEncodeError as error:
        raise EventRefused(e.id, f"its header is not JSON: {error}") from error
    return msgspec.structs.replace(e, header=header, slots=dict(e.slots))
