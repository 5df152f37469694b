"""Opens the embedded SQLite database: durable, private, and of a schema this code knows."""

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy import event as hooks
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from lockgate.model import StoreDown
from lockgate.store.failing import store_errors
from lockgate.store.tables import SCHEMA

Upgrade = Callable[[Engine], None]
"""``store.migrate.upgrade``: handed in so that only a start that needs it pays for Alembic."""

_WRITES = "lockgate_writes"


def open_database(path: Path, upgrade: Upgrade, *, busy_ms: int = 5_000) -> Engine:
    """The database at ``path``, made or brought up to date by ``upgrade`` where needed.

    ``busy_ms``: how long a statement waits for another process to finish writing.
    Raises ``StoreDown`` when it cannot be opened, or was written by a newer Lockgate.
    """
    with store_errors(f"cannot open the database {path}"):
        _make_private(path)
        engine = _engine(path, busy_ms)
        try:
            if schema_of(engine) != SCHEMA:
                upgrade(engine)
            found = schema_of(engine)
        except BaseException:
            engine.dispose()
            raise
    if found != SCHEMA:
        engine.dispose()
        raise StoreDown(f"{path} has schema {found or 'none'}; this Lockgate needs {SCHEMA}")
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
    with engine.begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that holds the write lock from its start, so that what it read stays true.

    Durable when the block is left; nothing of it happened when it raises.
    """
    with engine.connect() as connection:
        connection.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


def _engine(path: Path, busy_ms: int) -> Engine:
    url = URL.create("sqlite+pysqlite", database=str(path))
    # Values of a failed statement never reach an error message or a log.
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": busy_ms / 1000})

    @hooks.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        _configure(connection)

    @hooks.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _configure(connection: sqlite3.Connection) -> None:
    # None: the driver begins no transaction of its own, ours are spelled out (also around DDL).
    connection.isolation_level = None
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError(f"journal mode is {mode}; use a local disk, not a share")
    for pragma in (
        "synchronous = FULL",  # NORMAL loses the last commits when the power fails
        "foreign_keys = ON",
        "secure_delete = ON",  # what is erased is overwritten
        "trusted_schema = OFF",
        "cache_size = -8192",  # KiB
    ):
        connection.execute(f"PRAGMA {pragma}")


def _make_private(path: Path) -> None:
    """SQLite gives its side files (WAL, shared memory) the mode of the database."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "nt":
        return
    folder = path.parent.stat()
    if folder.st_mode & 0o022 and not folder.st_mode & stat.S_ISVTX:
        raise PermissionError(f"others may write to {path.parent}; run chmod 700 on it")
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if os.fstat(handle).st_mode & 0o077:
            os.fchmod(handle, 0o600)
    finally:
        os.close(handle)
