"""What the contract suite does not: weather, and the columns that can be searched."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text

from lockgate.model import AuditEvent, StoreDown
from lockgate.store.database import reading
from lockgate.store.events import StoredEvents
from lockgate.store.migrate import upgrade
from lockgate.store.sqlite import open_sqlite


def one(name: str, data: bytes = b"{}") -> AuditEvent:
    header = {"method": "tools/call", "upstream": "clinic", "target": "read_patient"}
    return AuditEvent(name, "c1", "call.intent", 5, "deny", "auth.missing", header, {"args": data})


@contextmanager
def with_pragma(engine: Engine, pragma: str) -> Iterator[None]:
    """Every new connection gets it, as if the disk were like that."""

    def set_it(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA {pragma}")

    engine.dispose()
    event.listen(engine, "connect", set_it)
    yield
    event.remove(engine, "connect", set_it)
    engine.dispose()


def test_the_searchable_columns_repeat_the_header(engine: Engine) -> None:
    StoredEvents(engine).append([one("e1")])
    with reading(engine) as connection:
        row = connection.execute(text("SELECT method, upstream, target FROM event")).one()
    assert tuple(row) == ("tools/call", "clinic", "read_patient")


def test_a_header_without_them_leaves_them_empty(engine: Engine) -> None:
    StoredEvents(engine).append([AuditEvent("e1", "", "auth.refused", 5, "deny", "auth.missing")])
    with reading(engine) as connection:
        assert connection.scalar(text("SELECT method || upstream || target FROM event")) == ""


def test_another_connection_sees_it_as_soon_as_append_returns(
    engine: Engine, tmp_path: Path
) -> None:
    StoredEvents(engine).append([one("e1")])
    other = sqlite3.connect(tmp_path / "db" / "lockgate.db")
    assert other.execute("SELECT count(*) FROM event").fetchone() == (1,)
    other.close()


def test_a_full_disk_is_store_down_and_passes(engine: Engine) -> None:
    store = StoredEvents(engine)
    with reading(engine) as connection:
        pages = connection.scalar(text("PRAGMA page_count")) or 0
    with (
        with_pragma(engine, f"max_page_count = {pages + 1}"),
        pytest.raises(StoreDown, match="SQLITE_FULL"),
    ):
        store.append([one("e1", b"x" * 100_000)])
    assert store.count() == 0
    store.append([one("e1")])
    assert store.count() == 1


def test_a_read_only_database_is_store_down_for_writers_only(engine: Engine) -> None:
    store = StoredEvents(engine)
    with with_pragma(engine, "query_only = ON"):
        with pytest.raises(StoreDown, match="SQLITE_READONLY"):
            store.append([one("e1")])
        assert store.count() == 0


def test_a_lock_that_is_not_let_go_is_store_down(tmp_path: Path) -> None:
    engine = open_sqlite(tmp_path / "lockgate.db", upgrade, busy_ms=10)
    other = sqlite3.connect(tmp_path / "lockgate.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreDown, match="SQLITE_BUSY") as down:
        StoredEvents(engine).append([])
    assert down.value.__cause__ is not None
    other.close()
    StoredEvents(engine).append([one("e1")])
    engine.dispose()


def test_a_file_spoiled_while_running_is_store_down(engine: Engine, tmp_path: Path) -> None:
    store = StoredEvents(engine)
    store.append([one("e1")])
    engine.dispose()
    (tmp_path / "db" / "lockgate.db").write_bytes(b"overwritten" * 5_000)
    for use in (lambda: store.append([one("e2")]), store.count, lambda: store.tail(5)):
        with pytest.raises(StoreDown):
            use()


def test_a_slot_can_be_destroyed_and_its_event_stays(engine: Engine) -> None:
    store = StoredEvents(engine)
    store.append([one("e1")])
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM slot WHERE event_id = 'e1'"))
    found = store.by_event("e1")
    assert found is not None
    assert found.event.slots == {}


def test_a_slot_without_its_event_cannot_be_written(engine: Engine) -> None:
    with pytest.raises(Exception, match="FOREIGN KEY"), engine.begin() as connection:
        connection.execute(text("INSERT INTO slot VALUES ('nobody', 'args', 'x')"))


def test_a_page_is_bounded(engine: Engine) -> None:
    store = StoredEvents(engine)
    store.append([one(f"e{n}") for n in range(10_001)])
    assert len(store.tail(10**9)) == 10_000
