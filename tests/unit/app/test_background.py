"""Copies follow what other workers write."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from lockgate.app.background import Background, Sooner
from lockgate.app.reload import Reloader
from lockgate.app.settings import Settings
from lockgate.app.settings_file import load
from lockgate.app.stamps import now_ms
from lockgate.app.stores import open_stores
from lockgate.app.wiring import Plant
from lockgate.model import KeyRecord, Person, StoreDown
from lockgate.model.inquiry import Asked
from lockgate.model.session import SessionState
from support.inquiries import CALL, approved
from support.processes import until

LONG = 60.0
KEY = KeyRecord("a", "service", "alice", "robot", frozenset(), "", "h", 1, 9)


class Worker:
    """A worker's copies, and what keeps them current."""

    def __init__(self, root: Path, database: str = "") -> None:
        self.config = root / "lockgate.yaml"
        self.stores = open_stores(root / "data", database)
        self.plant = Plant(self.stores, Settings())
        self.taken: list[Settings] = []
        self.reloader = Reloader(self.config, load(self.config), self.taken.append)

    @asynccontextmanager
    async def running(self, refresh: float, collect: float = LONG) -> AsyncIterator[None]:
        background = Background(self.plant, self.reloader, refresh, collect=collect)
        background.start()
        try:
            yield
        finally:
            await background.stop()
            await self.plant.journal.close()
            self.stores.engine.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lockgate.yaml").write_text("limits: {burst: 5}")
    return tmp_path


async def becomes(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """The loop goes on meanwhile, while a thread of its own looks."""

    def look() -> bool:
        try:
            return true()
        except StoreDown:  # it was not read lately: on a busy machine not since it was made
            return False

    await asyncio.to_thread(until, look, seconds)


async def written_elsewhere_is_seen(here: Worker, there: Worker) -> None:
    expires = now_ms() + 60_000
    given = approved(expires=expires, kept_until=expires)
    there.plant.stores.keys.add(KEY)
    there.plant.stores.people.put([Person("p", "scim", "alice")])
    there.plant.inquiries.add(given, b"")
    await there.plant.sessions.end("s1", expires)
    await there.plant.states.change("s2", lambda _: SessionState(level="debug"), expires)
    plant = here.plant
    await becomes(lambda: plant.ring.find("a") == KEY)
    await becomes(lambda: len(plant.directory.named("alice")) == 1)
    await becomes(lambda: plant.approvals.standing(CALL) == (Asked(given),))
    await becomes(lambda: plant.sessions.ended("s1"))
    await becomes(lambda: plant.states.load("s2").level == "debug")


async def test_what_another_worker_writes_is_read_soon(folder: Path) -> None:
    here, there = Worker(folder), Worker(folder)
    async with here.running(0.1), there.running(LONG):
        await written_elsewhere_is_seen(here, there)


async def test_postgresql_tells_what_another_worker_writes(folder: Path, postgres_url: str) -> None:
    """Nobody reads by itself for a minute here, so it was told."""
    here, there = Worker(folder, postgres_url), Worker(folder, postgres_url)
    async with here.running(LONG), there.running(LONG):
        await written_elsewhere_is_seen(here, there)


async def test_which_keys_were_used_is_written_at_the_end_and_only_moves_forward(
    folder: Path,
) -> None:
    here, there = Worker(folder), Worker(folder)
    here.stores.keys.add(KEY)
    async with here.running(LONG):
        async with there.running(LONG):
            there.plant.key_uses.note("a", 7)
            assert [k.used for k in here.stores.keys.list()] == [0], "no call waits for a write"
        assert [k.used for k in here.stores.keys.list()] == [7]
        here.plant.key_uses.note("a", 5)
    again = open_stores(folder / "data")
    assert [k.used for k in again.keys.list()] == [7]
    again.engine.dispose()


async def test_a_use_that_cannot_be_written_is_kept_and_the_end_comes_all_the_same(
    folder: Path,
) -> None:
    here = Worker(folder)
    here.stores.keys.add(KEY)
    with here.stores.engine.begin() as connection:
        connection.execute(text("DROP TABLE api_key"))
    async with here.running(LONG):
        here.plant.key_uses.note("a", 7)
    assert here.plant.key_uses.drain() == {"a": 7}


@pytest.mark.parametrize(
    ("topics", "woken"),
    [
        ({""}, {"keys", "people", "rest", "configuration"}),
        ({"api_key"}, {"keys"}),
        ({"person"}, {"people"}),
        ({"inquiry"}, {"rest"}),
        ({"configuration"}, {"rest", "configuration"}),
        (set(), set()),
    ],
)
async def test_a_change_wakes_who_reads_it(topics: set[str], woken: set[str]) -> None:
    sooner = Sooner()
    sooner.told(frozenset(topics))
    assert {name for name, event in vars(sooner).items() if event.is_set()} == woken


async def test_a_change_of_the_configuration_reaches_every_worker(folder: Path) -> None:
    here, there = Worker(folder), Worker(folder)
    async with here.running(0.1), there.running(0.1):
        before = here.reloader.taken
        await becomes(lambda: here.plant.shared.taken[0] == before)
        here.config.write_text("limits: {burst: 7}")
        await becomes(lambda: bool(here.taken and there.taken), 2.0)
        assert (here.taken[0].limits.burst, there.taken[0].limits.burst) == (7, 7)
        assert here.reloader.taken == there.reloader.taken != before
        await becomes(lambda: there.plant.shared.taken[0] == here.reloader.taken)
        assert not there.plant.shared.differs(there.reloader.taken, now_ms() + 60_000)
        assert there.plant.shared.differs(before, now_ms() + 60_000)


async def test_what_is_over_is_given_back_though_it_is_old_and_in_a_cycle(folder: Path) -> None:
    class Over:
        def __init__(self) -> None:
            self.itself = self

    one = Over()
    gone = weakref.ref(one)
    here = Worker(folder)
    gc.disable()  # it would come across it by chance
    try:
        del one
        assert gone() is not None
        async with here.running(LONG, collect=0.1):
            await becomes(lambda: gone() is None)
    finally:
        gc.enable()


async def test_approved_calls_are_looked_at_when_a_question_changes(folder: Path) -> None:
    worker = Worker(folder)
    looked = asyncio.Event()

    async def look() -> None:
        if worker.plant.approvals.version > 0:  # also where the copy is too old to be used
            looked.set()

    background = Background(worker.plant, worker.reloader, LONG)
    background.start(background.carrying_out(look))
    try:
        now = now_ms()
        one = approved(created=now, expires=now + 60_000, kept_until=now + 60_000)
        worker.plant.inquiries.add(one, b"")
        background._sooner.told(frozenset({"inquiry"}))
        await asyncio.wait_for(looked.wait(), 10)
    finally:
        await background.stop()
        await worker.plant.journal.close()
        worker.stores.engine.dispose()


async def test_questions_of_workers_that_are_gone_are_ended(folder: Path) -> None:
    worker = Worker(folder)
    now = now_ms()
    used = approved(state="used", created=now, expires=now + 60_000, kept_until=now + 60_000)
    worker.plant.inquiries.add(used, b"")
    async with worker.running(0.05):
        await becomes(lambda: worker.plant.inquiries.listed(["failed"]) != ())
        await worker.plant.journal.flush()
        events = [row.event.header.get("action") for row in worker.stores.events.tail(9)]
    assert events == ["approval.interrupted"]
