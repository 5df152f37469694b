import pytest

from lockgate.approval.leases import Leases
from lockgate.model.inquiry import LEASE_MS, Inquiry, Kept
from lockgate.store.memory_inquiries import MemoryInquiries
from support.inquiries import AT, approved, inquiry


class Room:
    def __init__(self) -> None:
        self.now = AT
        self.store = MemoryInquiries(lambda: self.now)
        self.here, self.there = (
            Leases(self.store, lambda: self.now, lambda: "e") for _ in range(2)
        )

    def one(self, id: str = "q1") -> Inquiry:
        asked = self.store.get(id)
        assert asked is not None
        return asked.inquiry

    def used(self) -> None:
        self.store.add(approved(expires=AT + 10**9), b"payload")
        assert self.store.claim(["q1"], "here", self.now)
        self.here.working.add("q1")


@pytest.fixture
def room() -> Room:
    return Room()


def test_what_is_worked_on_stays_its_workers(room: Room) -> None:
    room.used()
    for _ in range(5):
        room.now += LEASE_MS - 1
        room.here.renew()
        assert not room.there.sweep()
    assert room.one().state == "used"


def test_what_was_taken_and_not_used_yet_stays_its_takers(room: Room) -> None:
    room.store.add(approved(expires=AT + 10**9, lease=AT + 1), b"")
    room.here.taken.add("q1")
    room.there.renew()
    assert room.one().lease == AT + 1
    room.here.renew()
    assert room.one().lease == AT + LEASE_MS


def test_what_a_worker_began_that_is_gone_has_been_interrupted(room: Room) -> None:
    room.used()
    room.now += LEASE_MS
    assert not room.here.sweep(), "it is still at work"
    (word,) = room.there.sweep()
    assert (word.header["action"], word.header["why"]) == (
        "approval.interrupted", "approval.interrupted",
    )  # fmt: skip
    assert not room.there.sweep()
    over = room.one()
    assert (over.state, over.reason, over.ended) == ("failed", "approval.interrupted", room.now)
    assert over.kept_until > room.now
    room.here.renew()
    assert room.one() == over


def test_other_kinds_are_nobodys_to_end(room: Room) -> None:
    room.store.add(inquiry(kind="role", state="used"), b"")
    room.now += 10 * LEASE_MS
    assert not room.here.sweep()


def test_what_nobody_answered_is_put_on_record_once(room: Room) -> None:
    room.store.add(inquiry(), b"payload")
    assert not room.here.tidy()
    room.now = inquiry().expires
    (word,) = room.here.tidy()
    assert word.header["action"] == "approval.expired"
    assert not room.there.tidy()
    assert (room.one().state, room.one().reason) == ("expired", "approval.expired")


def test_a_flood_of_newer_ones_keeps_nothing_live(room: Room) -> None:
    room.store.add(inquiry(), b"payload")
    for n in range(1_000):
        later = {"created": AT + 1, "expires": AT + 10**6, "digest": str(n)}
        room.store.add(inquiry(f"n{n}", **later), b"payload")
    room.now = inquiry().expires
    assert [word.header["target"] for word in room.here.tidy()] == ["q1"]
    room.now = AT + 10**6
    assert [len(room.here.tidy()) for _ in range(3)] == [500, 500, 0], "a part at a time"


def test_what_is_kept_no_more_is_destroyed(room: Room) -> None:
    room.store.add(inquiry(state="succeeded"), b"payload")
    room.store.keep("q1", Kept(b"{}"))
    room.here.tidy()
    assert room.store.kept("q1") == Kept(b"{}")
    room.now = room.one().kept_until
    room.here.tidy()
    room.now = AT
    assert room.store.kept("q1") is None
    assert room.store.payload("q1") is None
