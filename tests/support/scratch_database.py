"""A SQLite database of its own for each that asks, from one that was made once: it costs a copy."""

import atexit
import itertools
import shutil
import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import Engine

from lockgate.store.migrate import upgrade
from lockgate.store.sqlite import open_sqlite

_NUMBERS = itertools.count()


def scratch_database() -> Engine:
    """It ends with the process."""
    place = _root() / str(next(_NUMBERS)) / "lockgate.db"
    place.parent.mkdir()
    shutil.copyfile(_root() / "empty" / "lockgate.db", place)
    return open_sqlite(place, upgrade)


@cache
def _root() -> Path:
    made = Path(tempfile.mkdtemp(prefix="lockgate-scratch-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    engine = open_sqlite(made / "empty" / "lockgate.db", upgrade)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return made
