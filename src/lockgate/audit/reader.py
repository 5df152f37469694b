"""Reading the journal for people: one call as a story, events as JSON lines."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import msgspec
import orjson

from lockgate.audit.ports import EventStore
from lockgate.model import AuditEvent, Recorded, Slot

SLOTS: frozenset[Slot] = frozenset(get_args(Slot))

State = Literal["finished", "refused", "held", "unfinished"]


class Story(msgspec.Struct, frozen=True):
    """Everything on record about one call, first to last."""

    call: str
    rows: tuple[Recorded, ...]
    state: State
    """``refused`` and ``held``: it never reached its upstream. ``unfinished``: it was permitted and
    has no outcome. It runs still, or the gateway died meanwhile and the upstream may have acted."""

    @property
    def intent(self) -> AuditEvent | None:
        return self._last("call.intent")

    @property
    def outcome(self) -> AuditEvent | None:
        """What it came to, or the refusal that ended it."""
        return self._last("call.outcome") or self._last("call.refused")

    @property
    def began(self) -> int:
        return min(row.event.at for row in self.rows)

    @property
    def lasted_ms(self) -> int:
        return max(row.event.at for row in self.rows) - self.began

    @property
    def about(self) -> Mapping[str, Any]:
        """All headers as one; what was recorded later wins."""
        return {key: value for row in self.rows for key, value in row.event.header.items()}

    @property
    def slots(self) -> Mapping[Slot, bytes]:
        """All slots as one; what was recorded later wins."""
        return {name: data for row in self.rows for name, data in row.event.slots.items()}

    def _last(self, kind: str) -> AuditEvent | None:
        return next((r.event for r in reversed(self.rows) if r.event.kind == kind), None)


def read_story(store: EventStore, call_id: str) -> Story | None:
    """None where nothing is on record. Blocks; raises ``model.StoreDown``."""
    rows = tuple(store.by_call(call_id)) if call_id else ()
    return Story(call_id, rows, _state(rows)) if rows else None


def find_story(store: EventStore, some_id: str) -> Story | None:
    """By call id or by the id of any event of the call. Blocks; raises ``model.StoreDown``."""
    found = read_story(store, some_id)
    if found is not None:
        return found
    row = store.by_event(some_id)
    if row is None:
        return None
    return read_story(store, row.event.call) or Story("", (row,), _state((row,)))


def export(recorded: Recorded, slots: Collection[Slot] = SLOTS) -> bytes:
    """One JSON object without a line break. Slots not asked for are named under ``withheld``."""
    event = recorded.event
    return orjson.dumps(
        {
            "seq": recorded.seq,
            "id": event.id,
            "call": event.call,
            "kind": event.kind,
            "at": timestamp(event.at),
            "effect": event.effect,
            "reason": event.reason,
            "header": event.header,
            "slots": {name: _tree(event.slots[name]) for name in event.slots if name in slots},
            "withheld": sorted(name for name in event.slots if name not in slots),
        }
    )


def export_lines(rows: Sequence[Recorded], slots: Collection[Slot] = SLOTS) -> bytes:
    """JSON Lines."""
    return b"".join(export(row, slots) + b"\n" for row in rows)


def timestamp(at: int) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(at // 1000, UTC).replace(microsecond=at % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _state(rows: Sequence[Recorded]) -> State:
    events = {row.event.kind: row.event for row in rows}
    intent = events.get("call.intent")
    if "call.outcome" in events:
        return "finished"  # also where its answer was withheld: see ``call.revoked``
    if intent is not None:
        return _WITHOUT_OUTCOME.get(intent.effect, "unfinished")
    return "refused" if events.keys() & {"call.refused", "auth.refused"} else "finished"


_WITHOUT_OUTCOME: Mapping[str, State] = {"deny": "refused", "hold": "held"}
"""An intent that was not permitted is the last word on its call."""


def _tree(data: bytes) -> Any:
    """A damaged slot is shown as text, so that it never makes the whole export unreadable."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return data.decode(errors="backslashreplace")
