import sqlite3
import stat
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from lockgate.model import StoreDown
from lockgate.store.database import reading, schema_of, writing
from lockgate.store.migrate import upgrade
from lockgate.store.sqlite import into_wal, open_sqlite
from lockgate.store.tables import SCHEMA, feed


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("secure_delete", 1),
        ("trusted_schema", 0),
        ("busy_timeout", 5_000),
    ],
)
def test_every_connection_is_durable_and_careful(
    engine: Engine, pragma: str, value: object
) -> None:
    engine.dispose()
    with reading(engine) as connection:
        assert connection.scalar(text(f"PRAGMA {pragma}")) == value


def test_only_its_user_can_read_it_and_its_side_files(engine: Engine, tmp_path: Path) -> None:
    with writing(engine) as connection:
        connection.execute(feed.insert().values(topic="t", version=1))
    files = {path.name: mode(path) for path in (tmp_path / "db").iterdir()}
    sides = ("", "-wal", "-shm", "-next", "-turn")
    assert files == {f"lockgate.db{side}": 0o600 for side in sides}
    assert mode(tmp_path / "db") == 0o700


def test_a_database_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "lockgate.db"
    path.touch(0o644)
    open_sqlite(path, upgrade).dispose()
    assert mode(path) == 0o600


def test_a_directory_others_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(StoreDown, match="chmod 700"):
        open_sqlite(tmp_path / "shared" / "lockgate.db", upgrade)


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target.db").touch()
    (tmp_path / "lockgate.db").symlink_to(tmp_path / "target.db")
    with pytest.raises(StoreDown):
        open_sqlite(tmp_path / "lockgate.db", upgrade)


def test_a_directory_that_cannot_be_made_is_store_down(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreDown, match="cannot open the database") as down:
        open_sqlite(tmp_path / "file" / "lockgate.db", upgrade)
    assert isinstance(down.value.__cause__, OSError)


def test_a_corrupted_file_is_store_down(tmp_path: Path) -> None:
    path = tmp_path / "lockgate.db"
    path.write_bytes(b"this is no database at all" * 400)
    with pytest.raises(StoreDown, match="SQLITE_NOTADB") as down:
        open_sqlite(path, upgrade)
    assert down.value.__cause__ is not None
    assert path.read_bytes().startswith(b"this is"), "what was found is left as it was"


def test_an_upgrade_runs_only_where_it_is_needed(engine: Engine, tmp_path: Path) -> None:
    def surprise(_: Engine) -> None:
        raise AssertionError("was up to date")

    again = open_sqlite(tmp_path / "db" / "lockgate.db", surprise)
    assert schema_of(again) == SCHEMA
    again.dispose()


def test_a_new_database_has_no_schema_until_it_is_upgraded(tmp_path: Path) -> None:
    with pytest.raises(StoreDown, match="schema none"):
        open_sqlite(tmp_path / "lockgate.db", lambda engine: None)


def test_a_write_holds_the_lock_from_its_start(engine: Engine, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "db" / "lockgate.db", timeout=0, isolation_level=None)
    with writing(engine), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_only_a_database_that_is_taken_is_waited_for(tmp_path: Path) -> None:
    place = tmp_path / "read-only.db"
    with sqlite3.connect(place) as made:
        made.execute("CREATE TABLE t (x)")
    made.close()
    connection = sqlite3.connect(f"file:{place}?mode=ro", uri=True)
    began = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        into_wal(connection, patience=60)
    assert time.monotonic() - began < 30
    connection.close()
