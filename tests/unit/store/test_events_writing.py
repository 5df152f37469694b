"""What the contract of the journal does not say: the order in which rows become visible."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from lockgate.model import AuditEvent, StoreDown
from lockgate.store.database import reading, writing
from lockgate.store.events import StoredEvents
from support.postgres import Server

LONG = 200


def one(name: str) -> AuditEvent:
    return AuditEvent(name, "c1", "call.intent", 5, "deny", "auth.missing", {}, {"args": b"{}"})


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    made: Engine = request.getfixturevalue(request.param)
    return made


def test_who_reads_on_from_a_place_misses_nothing(engine: Engine) -> None:
    """Several workers write; a reader that follows by ``seq`` sees every event exactly once."""
    store, done = StoredEvents(engine), threading.Event()

    def write(worker: int) -> None:
        for n in range(LONG // 4):
            store.append([one(f"{worker}-{n}-{part}") for part in range(2)])

    def follow() -> list[str]:
        seen: list[str] = []
        place = 0
        while True:
            ended = done.is_set()
            for row in store.tail(1_000, place):
                seen.append(row.event.id)
                place = row.seq
            if ended:
                return seen

    with ThreadPoolExecutor(5) as pool:
        following = pool.submit(follow)
        list(pool.map(write, range(4)))
        done.set()
        seen = following.result()
    assert len(seen) == 2 * LONG
    assert seen == [row.event.id for row in store.tail(1_000)]
    for n in range(0, len(seen), 2):
        assert seen[n].rpartition("-")[0] == seen[n + 1].rpartition("-")[0], "a batch was torn"


def test_a_batch_waits_its_turn_before_it_takes_its_numbers(postgresql: Engine) -> None:
    store = StoredEvents(postgresql)
    with ThreadPoolExecutor(1) as pool:
        with writing(postgresql) as connection:
            late = pool.submit(store.append, [one("late")])
            connection.execute(text(
                "INSERT INTO event (id, call, kind, at, effect, reason, method, upstream, target, "
                "header) VALUES ('early', '', '', 0, '', '', '', '', '', '{}')"))  # fmt: skip
        late.result()
    assert [row.event.id for row in store.tail(5)] == ["early", "late"]


def test_a_batch_is_one_transaction_however_it_fails(postgresql: Engine) -> None:
    with postgresql.begin() as connection:
        connection.execute(text("ALTER TABLE slot ADD CHECK (length(data) < 5)"))
    store = StoredEvents(postgresql)
    large = AuditEvent("e2", "", "call.intent", 1, "", "", {}, {"args": b"too large"})
    with pytest.raises(Exception, match="e1"):
        store.append([one("e1"), large])
    assert store.count() == 0


def test_text_that_postgresql_cannot_hold_is_recorded_all_the_same(engine: Engine) -> None:
    header = {"method": "resources/read", "target": "file:///\0", "upstream": "\0"}
    store = StoredEvents(engine)
    store.append([AuditEvent("e1", "c", "call.intent", 1, "", "", header, {"args": b"\0"})])
    found = store.by_event("e1")
    assert found is not None
    assert (found.event.header, found.event.slots) == (header, {"args": b"\0"})
    with reading(engine) as connection:
        assert connection.scalar(text("SELECT target FROM event")) == "file:///\ufffd"


def test_who_may_only_read_cannot_even_write_nothing(
    postgres: Server, postgres_url: str, postgresql: Engine
) -> None:
    postgres.alter(postgres_url, "SET default_transaction_read_only = on")
    postgresql.dispose()
    with pytest.raises(StoreDown, match="ReadOnlySqlTransaction"):
        StoredEvents(postgresql).append([])
