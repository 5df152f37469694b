import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from lockgate.store.database import writing
from lockgate.store.turns import turn_at
from support.processes import until


@contextmanager
def held(engine: Engine, which: str = "turn") -> Iterator[int]:
    lock = os.open(f"{engine.url.database}-{which}", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield lock
    finally:
        os.close(lock)


def test_one_writes_at_a_time(sqlite: Engine) -> None:
    inside, most = 0, 0
    guard = threading.Lock()

    def write() -> None:
        nonlocal inside, most
        for _ in range(20):
            with turn_at(sqlite):
                with guard:
                    inside += 1
                    most = max(most, inside)
                with guard:
                    inside -= 1

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_who_comes_back_stands_behind_who_waits(sqlite: Engine) -> None:
    order: list[str] = []
    waits = threading.Event()

    def wait_for_it() -> None:
        waits.set()
        with turn_at(sqlite):
            order.append("waiting")

    thread = threading.Thread(target=wait_for_it)
    with turn_at(sqlite):
        thread.start()
        waits.wait()
        until(lambda: _taken(sqlite, "next"))
    with turn_at(sqlite):
        order.append("again")
    thread.join()
    assert order == ["waiting", "again"]


def _taken(engine: Engine, which: str) -> bool:
    lock = os.open(f"{engine.url.database}-{which}", os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


@pytest.mark.parametrize("which", ["turn", "next"])
def test_nobody_waits_for_ever(sqlite: Engine, which: str) -> None:
    late = pytest.raises(sqlite3.OperationalError, match="is writing")
    with held(sqlite, which), late, turn_at(sqlite, patience=0.05):
        raise AssertionError
    with writing(sqlite):
        pass


def test_only_sqlite_needs_a_line() -> None:
    with turn_at(create_engine("sqlite+pysqlite://")):
        pass


def test_the_locks_are_private_and_stay(sqlite: Engine) -> None:
    with writing(sqlite):
        pass
    for which in ("turn", "next"):
        place = Path(f"{sqlite.url.database}-{which}")
        assert place.stat().st_mode & 0o777 == 0o600
