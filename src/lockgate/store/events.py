"""The journal's rows in the database."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import orjson
from sqlalchemy import Connection, Engine, Row, Select, func, select
from sqlalchemy.exc import IntegrityError

from lockgate.model import AuditEvent, EventKind, EventRefused, Recorded, Slot
from lockgate.store.database import reading
from lockgate.store.events_writing import WRITES, EventRow
from lockgate.store.failing import cause_of, store_errors
from lockgate.store.tables import event, slot

_PAGE = 10_000
_SELECT = select(
    event.c.seq, event.c.id, event.c.call, event.c.kind,
    event.c.at, event.c.effect, event.c.reason, event.c.header,
)  # fmt: skip


class StoredEvents:
    """Satisfies ``audit.ports.EventStore``. Blocks: call it from a thread that may wait."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._write = WRITES[engine.dialect.name]

    def append(self, events: Sequence[AuditEvent]) -> None:
        """All of them in one transaction, on disk when this returns.

        Raises ``EventRefused`` when one of them cannot be written, ``StoreDown`` when none can.
        """
        rows = [_row(e) for e in events]
        slots = [(e.id, name, data) for e in events for name, data in e.slots.items()]
        with store_errors("cannot write the journal"):
            try:
                self._write(self._engine, rows, slots)
            except (IntegrityError, sqlite3.IntegrityError) as error:
                raise self._refused([e.id for e in events], error) from error

    def tail(self, limit: int, after_seq: int | None = None) -> tuple[Recorded, ...]:
        """The newest ``limit`` events, or the first ``limit`` after ``after_seq``; oldest first.

        At most 10,000 at once: page on with the last ``seq``.
        """
        limit = min(limit, _PAGE)
        if after_seq is None:
            return self._read(_SELECT.order_by(event.c.seq.desc()).limit(limit))
        after = event.c.seq > after_seq
        return self._read(_SELECT.where(after).order_by(event.c.seq).limit(limit))

    def by_call(self, call_id: str) -> tuple[Recorded, ...]:
        return self._read(_SELECT.where(event.c.call == call_id))

    def by_event(self, event_id: str) -> Recorded | None:
        found = self._read(_SELECT.where(event.c.id == event_id))
        return found[0] if found else None

    def count(self) -> int:
        with store_errors("cannot read the journal"), reading(self._engine) as connection:
            return connection.scalar(select(func.count()).select_from(event)) or 0

    def _refused(self, ids: list[str], error: Exception) -> EventRefused:
        with reading(self._engine) as connection:
            known = set(connection.scalars(select(event.c.id).where(event.c.id.in_(ids))))
        guilty = [i for n, i in enumerate(ids) if i in known or i in ids[:n]]
        return EventRefused((guilty or ids)[0], cause_of(error), duplicate=bool(guilty))

    def _read(self, query: Select[Any]) -> tuple[Recorded, ...]:
        with store_errors("cannot read the journal"), reading(self._engine) as connection:
            rows = sorted(connection.execute(query), key=lambda row: row.seq)
            held = _slots(connection, [row.id for row in rows])
        return tuple(_recorded(row, held.get(row.id, {})) for row in rows)


def _row(e: AuditEvent) -> EventRow:
    about = e.header
    try:
        header = orjson.dumps(about)
    except orjson.JSONEncodeError as error:
        raise EventRefused(e.id, f"its header is not JSON: {error}") from error
    named = (_searchable(about.get(name, "")) for name in ("method", "upstream", "target"))
    return (e.id, e.call, e.kind, e.at, e.effect, e.reason, *named, header)


def _searchable(value: object) -> str:
    """PostgreSQL's text holds no NUL. The header keeps what was really said."""
    return str(value).replace("\0", "\ufffd")


def _slots(connection: Connection, ids: Iterable[str]) -> Mapping[str, dict[Slot, bytes]]:
    found: dict[str, dict[Slot, bytes]] = {}
    query = select(slot.c.event_id, slot.c.slot, slot.c.data).where(slot.c.event_id.in_(ids))
    for event_id, name, data in connection.execute(query):
        found.setdefault(event_id, {})[cast("Slot", name)] = data
    return found


def _recorded(row: Row[Any], slots: Mapping[Slot, bytes]) -> Recorded:
    return Recorded(
        row.seq,
        AuditEvent(
            id=row.id, call=row.call, kind=cast("EventKind", row.kind), at=row.at,
            effect=row.effect, reason=row.reason, header=orjson.loads(row.header), slots=slots,
        ),
    )  # fmt: skip
