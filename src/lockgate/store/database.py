"""What both databases have in common: transactions, the schema this code knows, upserts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, Table, inspect, text
from sqlalchemy.dialects import postgresql, sqlite

from lockgate.model import StoreDown
from lockgate.store.failing import store_errors
from lockgate.store.tables import SCHEMA
from lockgate.store.turns import turn_at

Upgrade = Callable[[Engine], None]
"""``store.migrate.upgrade``: handed in so that only a start that needs it pays for Alembic."""

WRITES = "lockgate_writes"
"""Execution option of a transaction that will write: each database begins it with its lock."""

# SQLite's transactions see one moment anyway.
_ONE_MOMENT = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def brought_up(engine: Engine, upgrade: Upgrade, place: str) -> Engine:
    """``engine``, with ``upgrade`` run where it is needed. Disposed of where this raises.

    Raises ``StoreDown`` when it cannot be opened, or was written by a newer Lockgate.
    """
    try:
        with store_errors(f"cannot open the database {place}"):
            if schema_of(engine) != SCHEMA:
                upgrade(engine)
            found = schema_of(engine)
        if found != SCHEMA:
            raise StoreDown(f"{place} has schema {found or 'none'}; this Lockgate needs {SCHEMA}")
    except BaseException:
        engine.dispose()
        raise
    return engine


def schema_of(engine: Engine) -> str:
    """The last migration that was run; empty for a new database."""
    with reading(engine) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return ""
        return connection.scalar(text("SELECT version_num FROM alembic_version")) or ""


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that sees one state of the whole database."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(**_ONE_MOMENT)
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that holds the write lock from its start, so that what it read stays true.

    Durable when the block is left; nothing of it happened when it raises. One writer at a time in
    the whole database, whichever process it is in: on PostgreSQL by an advisory lock.
    """
    with turn_at(engine), engine.connect() as connection:
        connection.execution_options(**{WRITES: True})
        with connection.begin():
            yield connection


def insert_into(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say ``on_conflict_do_update`` and ``on_conflict_do_nothing``."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
