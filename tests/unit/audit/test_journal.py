import asyncio
import threading
from collections.abc import Sequence

import msgspec
import pytest

from lockgate.audit.journal import GroupCommitJournal
from lockgate.model import AuditEvent, EventRefused, JournalDown, StoreDown
from lockgate.store.memory_events import MemoryEvents


class Store(MemoryEvents):
    """A real store whose writes can be held up, or made to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []
        self.failing: Exception | None = None
        self.fails_after_writing = False
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Semaphore(0)
        self.left = threading.Semaphore(0)

    def append(self, events: Sequence[AuditEvent]) -> None:
        self.batches.append([e.id for e in events])
        self.entered.release()
        assert self.open.wait(10)
        if self.failing is not None and not self.fails_after_writing:
            raise self.failing
        super().append(events)
        self.left.release()
        if self.failing is not None:
            raise self.failing

    @property
    def written(self) -> list[str]:
        return [row.event.id for row in self.tail(10_000)]


def event(name: str) -> AuditEvent:
    return AuditEvent(name, "c1", "call.intent", 1, "permit", "auth.missing")


@pytest.fixture
def store() -> Store:
    return Store()


async def writing(store: Store) -> None:
    """Wait until the writer is inside a write."""
    assert await asyncio.to_thread(store.entered.acquire, timeout=10)


async def tasks_ran() -> None:
    """Every task made before has come as far as it can without the store."""
    for _ in range(4):
        await asyncio.sleep(0)


async def test_an_event_is_durable_when_commit_returns(store: Store) -> None:
    journal = GroupCommitJournal(store)
    await journal.commit(event("e1"))
    assert store.written == ["e1"]
    assert journal.healthy
    await journal.close()


async def test_commit_does_not_return_before_the_store_does(store: Store) -> None:
    journal = GroupCommitJournal(store)
    store.open.clear()
    waiting = asyncio.create_task(journal.commit(event("e1")))
    await writing(store)
    assert not waiting.done()
    store.open.set()
    await waiting
    await journal.close()


async def test_who_comes_while_it_writes_shares_the_next_batch(store: Store) -> None:
    journal = GroupCommitJournal(store)
    store.open.clear()
    tasks = [asyncio.create_task(journal.commit(event("e0")))]
    await writing(store)
    tasks += [asyncio.create_task(journal.commit(event(f"e{n}"))) for n in range(1, 6)]
    await tasks_ran()
    assert journal.backlog == 5
    journal.note(event("n1"))
    store.open.set()
    await asyncio.gather(*tasks)
    assert store.batches == [["e0"], ["e1", "e2", "e3", "e4", "e5", "n1"]]
    await journal.close()


async def test_a_batch_has_a_greatest_size(store: Store) -> None:
    journal = GroupCommitJournal(store, batch_max=3)
    await asyncio.gather(*(journal.commit(event(f"e{n}")) for n in range(8)))
    assert [len(batch) for batch in store.batches] == [3, 3, 2]
    await journal.close()


async def test_a_note_is_written_without_anyone_waiting(store: Store) -> None:
    journal = GroupCommitJournal(store)
    journal.note(event("n1"))
    assert await asyncio.to_thread(store.left.acquire, timeout=10)
    assert store.written == ["n1"]
    await journal.close()


async def test_notes_wait_a_moment_for_a_commit_that_takes_them_along(store: Store) -> None:
    journal = GroupCommitJournal(store)
    journal.note(event("n1"))
    journal.note(event("n2"))
    await tasks_ran()
    assert not store.batches, "each note had a transaction of its own"
    await journal.commit(event("e1"))
    assert store.batches == [["n1", "n2", "e1"]]
    await journal.close()


async def test_the_order_is_the_order_of_coming(store: Store) -> None:
    journal = GroupCommitJournal(store, batch_max=2)
    store.open.clear()
    journal.note(event("1"))
    first = asyncio.create_task(journal.commit(event("2")))
    await tasks_ran()
    journal.note(event("3"))
    store.open.set()
    await journal.commit(event("4"))
    await first
    assert store.written == ["1", "2", "3", "4"]
    await journal.close()


@pytest.mark.parametrize("failure", [StoreDown("disk full"), RuntimeError("a defect")])
async def test_when_the_store_fails_everyone_waiting_is_told(
    store: Store, failure: Exception
) -> None:
    journal = GroupCommitJournal(store, batch_max=2)
    store.failing = failure
    store.open.clear()
    tasks = [asyncio.create_task(journal.commit(event(f"e{n}"))) for n in range(5)]
    await writing(store)
    store.open.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(t) for t in told] == [JournalDown] * 5
    assert {t.__cause__ for t in told if isinstance(t, JournalDown)} == {failure}
    assert len(set(map(id, told))) == 5
    assert len(store.batches) == 1, "those behind are not made to wait for the same failure"
    assert (journal.healthy, journal.backlog) == (False, 0)
    store.failing = None
    await journal.close()
    assert store.written == [], "what was refused is not recorded later"


async def test_it_tries_again_at_the_next_commit(store: Store) -> None:
    journal = GroupCommitJournal(store)
    store.failing = StoreDown("away")
    with pytest.raises(JournalDown):
        await journal.commit(event("e1"))
    store.failing = None
    await journal.commit(event("e2"))
    assert journal.healthy
    assert store.written == ["e2"]
    await journal.close()


async def test_notes_outlast_a_failure_and_come_first(store: Store) -> None:
    journal = GroupCommitJournal(store)
    store.failing = StoreDown("away")
    journal.note(event("n1"))
    with pytest.raises(JournalDown):
        await journal.commit(event("e1"))
    journal.note(event("n2"))
    assert journal.backlog == 2
    store.failing = None
    await journal.commit(event("e2"))
    assert store.written == ["n1", "n2", "e2"]
    await journal.close()


async def test_a_note_does_not_knock_at_a_store_that_is_down(store: Store) -> None:
    journal = GroupCommitJournal(store)
    store.failing = StoreDown("away")
    with pytest.raises(JournalDown):
        await journal.commit(event("e1"))
    journal.note(event("n1"))
    with pytest.raises(JournalDown):
        await journal.flush()
    assert store.batches == [["e1"], ["n1"]]
    store.failing = None
    await journal.close()


async def test_a_write_that_failed_after_all_is_not_doubled(store: Store) -> None:
    journal = GroupCommitJournal(store)
    store.failing, store.fails_after_writing = StoreDown("power?"), True
    journal.note(event("n1"))
    with pytest.raises(JournalDown):
        await journal.flush()
    store.failing = None
    await journal.commit(event("e1"))
    assert store.written == ["n1", "e1"]
    assert journal.refused == 0
    await journal.close()


async def test_one_bad_event_harms_no_other(store: Store) -> None:
    journal = GroupCommitJournal(store)
    await journal.commit(event("e1"))
    told = await asyncio.gather(
        *(journal.commit(event(name)) for name in ("e2", "e1", "e3")), return_exceptions=True
    )
    assert [type(t) for t in told] == [type(None), JournalDown, type(None)]
    assert isinstance(told[1], JournalDown)
    assert isinstance(told[1].__cause__, EventRefused)
    assert store.written == ["e1", "e2", "e3"]
    assert journal.healthy
    assert journal.refused == 0, "its caller was told"
    await journal.close()


async def test_a_bad_note_is_counted(store: Store) -> None:
    journal = GroupCommitJournal(store)
    await journal.commit(event("e1"))
    journal.note(event("e1"))
    await journal.flush()
    assert (journal.refused, journal.healthy, journal.backlog) == (1, True, 0)
    await journal.close()


async def test_a_cancelled_wait_loses_no_event_and_breaks_no_other(store: Store) -> None:
    journal = GroupCommitJournal(store)
    store.open.clear()
    tasks = [asyncio.create_task(journal.commit(event(f"e{n}"))) for n in range(3)]
    await writing(store)
    tasks.append(asyncio.create_task(journal.commit(event("late"))))
    await tasks_ran()
    assert journal.backlog == 1
    tasks[1].cancel()
    tasks[3].cancel()
    await tasks_ran()
    assert tasks[1].cancelled()
    assert tasks[3].cancelled()
    store.open.set()
    await asyncio.gather(tasks[0], tasks[2])
    await journal.close()
    assert store.written == ["e0", "e1", "e2", "late"]


async def test_a_cancelled_wait_outlasts_a_failure(store: Store) -> None:
    journal = GroupCommitJournal(store)
    store.failing = StoreDown("away")
    store.open.clear()
    waiting = asyncio.create_task(journal.commit(event("e1")))
    await writing(store)
    waiting.cancel()
    await tasks_ran()
    assert waiting.cancelled()
    store.open.set()
    with pytest.raises(JournalDown):
        await journal.flush()
    store.failing = None
    await journal.close()
    assert store.written == ["e1"]


async def test_too_many_notes_make_it_unhealthy_but_none_is_lost(store: Store) -> None:
    journal = GroupCommitJournal(store, note_cap=3, batch_max=2)
    store.open.clear()
    first = asyncio.create_task(journal.commit(event("e0")))
    await writing(store)
    healthy = []
    for n in range(4):
        journal.note(event(f"n{n}"))
        healthy.append(journal.healthy)
    assert healthy == [True, True, True, False]
    with pytest.raises(JournalDown):
        await journal.commit(event("refused"))
    assert journal.backlog == 4
    store.open.set()
    await first
    await journal.flush()
    assert journal.healthy
    await journal.commit(event("e1"))
    assert store.written == ["e0", "n0", "n1", "n2", "n3", "e1"]
    await journal.close()


async def test_what_waits_is_bounded_in_bytes_too(store: Store) -> None:
    journal = GroupCommitJournal(store, byte_cap=10)
    store.open.clear()
    first = asyncio.create_task(journal.commit(event("e0")))
    await writing(store)
    journal.note(msgspec.structs.replace(event("n0"), slots={"args": b"x" * 6, "net": b"x" * 4}))
    before = journal.healthy
    journal.note(msgspec.structs.replace(event("n1"), slots={"args": b"x"}))
    assert (before, journal.healthy) == (True, False)
    with pytest.raises(JournalDown):
        await journal.commit(event("refused"))
    store.open.set()
    await first
    await journal.flush()
    assert journal.healthy
    assert store.written == ["e0", "n0", "n1"]
    await journal.close()


async def test_a_full_journal_finds_out_by_itself_that_the_store_is_back(store: Store) -> None:
    journal = GroupCommitJournal(store, note_cap=0)
    store.failing = StoreDown("away")
    journal.note(event("n0"))
    with pytest.raises(JournalDown):
        await journal.flush()
    store.failing = None
    with pytest.raises(JournalDown):
        await journal.commit(event("refused"))
    assert await asyncio.to_thread(store.left.acquire, timeout=10)
    await journal.flush()
    await journal.commit(event("e1"))
    assert store.written == ["n0", "e1"]
    await journal.close()


async def test_flush_finds_out_that_the_store_is_back(store: Store) -> None:
    journal = GroupCommitJournal(store)
    store.failing = StoreDown("away")
    with pytest.raises(JournalDown):
        await journal.commit(event("e1"))
    with pytest.raises(JournalDown):
        await journal.flush()
    store.failing = None
    await journal.flush()
    assert journal.healthy
    await journal.close()


async def test_close_writes_what_is_queued_and_takes_no_more(store: Store) -> None:
    journal = GroupCommitJournal(store, batch_max=2)
    store.open.clear()
    journal.note(event("n0"))
    await writing(store)
    for n in range(1, 6):
        journal.note(event(f"n{n}"))
    closing = asyncio.create_task(journal.close())
    await asyncio.sleep(0)
    store.open.set()
    await closing
    assert store.written == [f"n{n}" for n in range(6)]
    assert not journal.healthy
    with pytest.raises(JournalDown):
        await journal.commit(event("e1"))
    with pytest.raises(JournalDown):
        journal.note(event("e2"))
    await journal.close()


async def test_close_says_when_something_is_left(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    journal = GroupCommitJournal(store)
    store.failing = StoreDown("away")
    journal.note(event("n1"))
    with pytest.raises(JournalDown, match="1 events"):
        await journal.close()
    assert "not recorded: event n1" in caplog.text


async def test_its_thread_ends_with_it(store: Store) -> None:
    before = set(threading.enumerate())
    journal = GroupCommitJournal(store)
    await journal.commit(event("e1"))
    (thread,) = set(threading.enumerate()) - before
    await journal.close()
    thread.join(10)
    assert not thread.is_alive()
