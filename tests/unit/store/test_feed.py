import pytest
from sqlalchemy import Engine

from lockgate.model import AuditEvent, StoreDown
from lockgate.store.database import reading, writing
from lockgate.store.events import StoredEvents
from lockgate.store.feed import Snapshot, StoredFeed, bump, version_of


class Rows:
    """Counts how often all rows were read."""

    def __init__(self) -> None:
        self.version = 0
        self.reads = 0
        self.down = False

    def changed(self, since: int) -> tuple[int, str] | None:
        if self.down:
            raise StoreDown("away")
        if since == self.version:
            return None
        self.reads += 1
        return self.version, f"rows {self.version}"


def test_it_is_not_fresh_before_the_first_refresh() -> None:
    copy = Snapshot(Rows(), "nothing")
    assert not copy.fresh(0)
    assert (copy.version, copy.rows) == (-1, "nothing")


def test_rows_are_read_only_when_their_version_changed() -> None:
    rows = Rows()
    copy = Snapshot(rows, "nothing")
    copy.refresh(1_000)
    copy.refresh(1_500)
    assert (rows.reads, copy.rows) == (1, "rows 0")
    rows.version = 7
    copy.refresh(2_000)
    assert (rows.reads, copy.version, copy.rows) == (2, 7, "rows 7")


@pytest.mark.parametrize(
    ("now", "fresh"), [(1_000, True), (3_000, True), (3_001, False), (-1_001, False)]
)
def test_it_is_fresh_for_two_seconds(now: int, fresh: bool) -> None:
    copy = Snapshot(Rows(), "nothing")
    copy.refresh(1_000)
    assert copy.fresh(now) is fresh


def test_a_refresh_that_fails_does_not_make_it_younger() -> None:
    rows = Rows()
    copy = Snapshot(rows, "nothing")
    copy.refresh(1_000)
    rows.down = True
    with pytest.raises(StoreDown):
        copy.refresh(4_000)
    assert not copy.fresh(4_000)
    assert copy.rows == "rows 0"
    rows.down = False
    copy.refresh(4_500)
    assert copy.fresh(4_500)


def test_topics_count_on_their_own(engine: Engine) -> None:
    with writing(engine) as connection:
        bump(connection, "a")
        bump(connection, "a")
        bump(connection, "b")
    with reading(engine) as connection:
        assert [version_of(connection, topic) for topic in "abc"] == [2, 1, 0]


class Racing:
    """A newer read begins and ends while an older one is under way."""

    def __init__(self) -> None:
        self.copy = Snapshot(self, "nothing")
        self.version = 5

    def changed(self, since: int) -> tuple[int, str] | None:
        if since == self.version:
            return None
        found = self.version, f"rows {self.version}"
        if self.version == 5:
            self.version = 6
            self.copy.refresh(1_000)
        return found


def test_an_older_read_does_not_replace_a_newer_one() -> None:
    racing = Racing()
    racing.copy.refresh(1_000)
    assert (racing.copy.version, racing.copy.rows) == (6, "rows 6")


def test_what_this_worker_wrote_need_not_be_read_again() -> None:
    rows = Rows()
    copy = Snapshot(rows, "nothing")
    copy.refresh(1_000)
    rows.version = 1
    copy.follow(1, 4_000)
    assert copy.fresh(4_000)
    copy.refresh(4_500)
    assert rows.reads == 1
    rows.version = 3
    copy.follow(3, 7_000)
    assert not copy.fresh(7_000), "another process wrote 2"
    copy.refresh(7_000)
    assert (rows.reads, copy.version) == (2, 3)


def test_the_feed_as_a_whole_has_all_topics_and_the_journals_newest_number(sqlite: Engine) -> None:
    assert StoredFeed(sqlite).versions() == {"journal": 0}
    with writing(sqlite) as connection:
        bump(connection, "a")
        bump(connection, "b")
        bump(connection, "a")
    events = StoredEvents(sqlite)
    events.append([AuditEvent(f"e{n}", "c", "call.intent", n, "deny", "x") for n in range(3)])
    found = StoredFeed(sqlite).versions()
    assert (found["a"], found["b"]) == (2, 1)
    assert found["journal"] == events.tail(1)[0].seq
