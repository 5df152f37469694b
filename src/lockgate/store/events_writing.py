"""One batch of the journal in one transaction, as each database does it cheapest."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from sqlalchemy import Engine, insert
from sqlalchemy.dialects import sqlite

from lockgate.model import Slot
from lockgate.store.postgresql import WRITE_LOCK
from lockgate.store.tables import event, slot
from lockgate.store.turns import turn_at

EventRow = tuple[str | int | bytes, ...]
"""Every column of ``event`` but ``seq``, in their order."""
SlotRow = tuple[str, Slot, bytes]
Write = Callable[[Engine, Sequence[EventRow], Sequence[SlotRow]], None]

_COLUMNS = [c.name for c in event.c if c is not event.c.seq]
# Spelled once, with positional values: for the hot path of every call Core's own handling of each
# row costs as much as SQLite's.
_INSERT_EVENTS = str(insert(event).compile(dialect=sqlite.dialect(), column_keys=_COLUMNS))
_INSERT_SLOTS = str(insert(slot).compile(dialect=sqlite.dialect()))

_NAMES = ", ".join(_COLUMNS)
_KINDS = {"at": "bigint", "header": "bytea"}
_ARRAYS = ", ".join(f"%s::{_KINDS.get(name, 'text')}[]" for name in _COLUMNS)
# One statement is one transaction and one round trip, however large the batch. The lock is taken
# before the first ``seq`` is and held until the commit is durable, so that rows become visible in
# the order of ``seq``: who reads on from a place misses none.
_APPEND = f"""
WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock({WRITE_LOCK})),
put AS (
    INSERT INTO event ({_NAMES})
    SELECT {_NAMES} FROM turn, unnest({_ARRAYS}) WITH ORDINALITY AS given({_NAMES}, place)
    ORDER BY place
)
INSERT INTO slot (event_id, slot, data)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bytea[])
"""  # noqa: S608 - made of column names


def write_sqlite(engine: Engine, events: Sequence[EventRow], slots: Sequence[SlotRow]) -> None:
    # By the driver itself: every call waits for this, and Core's handling of a transaction costs
    # as much again as SQLite's. The pool rolls back what was not committed.
    with turn_at(engine), closing(engine.raw_connection()) as held:
        cursor = held.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany(_INSERT_EVENTS, events)
        cursor.executemany(_INSERT_SLOTS, slots)
        cursor.execute("COMMIT")


def write_postgresql(engine: Engine, events: Sequence[EventRow], slots: Sequence[SlotRow]) -> None:
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        values = (*_turned(events, len(_COLUMNS)), *_turned(slots, 3))
        connection.exec_driver_sql(_APPEND, values)


WRITES: Mapping[str, Write] = {"sqlite": write_sqlite, "postgresql": write_postgresql}


def _turned(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    """Columns of rows, also of none."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
