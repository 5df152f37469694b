"""Opens the embedded SQLite database: durable and private."""

import os
import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy import event as hooks
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from lockgate.store.database import WRITES, Upgrade, brought_up
from lockgate.store.failing import store_errors
from lockgate.store.secrets import private_folder
from lockgate.store.turns import PATIENCE_SECONDS, PAUSE_SECONDS


def open_sqlite(path: Path, upgrade: Upgrade, *, busy_ms: int = 5_000) -> Engine:
    """The database at ``path``, made or brought up to date by ``upgrade`` where needed.

    ``busy_ms``: how long a statement waits for another process to finish writing.
    Raises ``StoreDown`` when it cannot be opened, or was written by a newer Lockgate.
    """
    with store_errors(f"cannot open the database {path}"):
        _make_private(path)
    return brought_up(_engine(path, busy_ms), upgrade, str(path))


def _engine(path: Path, busy_ms: int) -> Engine:
    url = URL.create("sqlite+pysqlite", database=str(path))
    # Values of a failed statement never reach an error message or a log.
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": busy_ms / 1000})

    @hooks.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        _configure(connection)

    @hooks.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _configure(connection: sqlite3.Connection) -> None:
    # None: the driver begins no transaction of its own, ours are spelled out (also around DDL).
    connection.isolation_level = None
    mode = into_wal(connection)
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


def into_wal(connection: sqlite3.Connection, patience: float = PATIENCE_SECONDS) -> str:
    """Of several that open a new database at once one makes the change; SQLite does not have the
    others wait for it, whatever their timeout says. Raises ``sqlite3.OperationalError``."""
    ends = time.monotonic() + patience
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            return str(mode)
        except sqlite3.OperationalError as failed:
            if failed.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= ends:
                raise
            time.sleep(PAUSE_SECONDS)


def _make_private(path: Path) -> None:
    """SQLite gives its side files (WAL, shared memory) the mode of the database."""
    private_folder(path.parent)
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if os.fstat(handle).st_mode & 0o077:
            os.fchmod(handle, 0o600)
    finally:
        os.close(handle)
