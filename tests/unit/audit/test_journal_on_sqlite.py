"""The journal on the database it runs on."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from lockgate.audit.journal import GroupCommitJournal
from lockgate.model import AuditEvent, JournalDown, StoreDown
from lockgate.store.events import StoredEvents
from lockgate.store.migrate import upgrade
from lockgate.store.sqlite import open_sqlite


def event(name: str) -> AuditEvent:
    return AuditEvent(name, "c", "call.intent", 1, "permit", "auth.missing", {}, {"args": b"{}"})


async def test_many_callers_at_once_all_end_up_on_disk(tmp_path: Path) -> None:
    engine = open_sqlite(tmp_path / "lockgate.db", upgrade)
    journal = GroupCommitJournal(StoredEvents(engine))

    async def caller(name: int) -> None:
        for n in range(20):
            await journal.commit(event(f"{name}-{n}"))
            journal.note(event(f"{name}-{n}-outcome"))

    await asyncio.gather(*(caller(name) for name in range(32)))
    await journal.close()
    engine.dispose()
    on_disk = sqlite3.connect(tmp_path / "lockgate.db")
    assert on_disk.execute("SELECT count(*) FROM event").fetchone() == (2 * 32 * 20,)
    late = on_disk.execute(
        "SELECT count(*) FROM event i JOIN event o ON o.id = i.id || '-outcome' WHERE o.seq < i.seq"
    )
    assert late.fetchone() == (0,)
    on_disk.close()


async def test_a_locked_database_stops_traffic_until_it_is_free(tmp_path: Path) -> None:
    engine = open_sqlite(tmp_path / "lockgate.db", upgrade, busy_ms=10)
    journal = GroupCommitJournal(StoredEvents(engine))
    other = sqlite3.connect(tmp_path / "lockgate.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalDown) as down:
        await journal.commit(event("e1"))
    assert isinstance(down.value.__cause__, StoreDown)
    stopped = journal.healthy
    other.execute("ROLLBACK")
    other.close()
    await journal.commit(event("e2"))
    assert (stopped, journal.healthy) == (False, True)
    await journal.close()
    engine.dispose()
