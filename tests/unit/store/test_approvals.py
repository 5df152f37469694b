import pytest

from lockgate.model import StoreDown
from lockgate.model.approval import Bound, Scope
from lockgate.model.inquiry import Asked
from lockgate.store.approvals import StandingApprovals
from lockgate.store.memory_inquiries import MemoryInquiries
from support.inquiries import AT, CALL, approved, inquiry
from worlds import CLINIC, call


class Clock:
    now = AT

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rows(clock: Clock) -> MemoryInquiries:
    return MemoryInquiries(clock)


@pytest.fixture
def standing(rows: MemoryInquiries, clock: Clock) -> StandingApprovals:
    return StandingApprovals(rows, clock, "w1")


def test_a_copy_that_is_too_old_does_not_answer(standing: StandingApprovals, clock: Clock) -> None:
    with pytest.raises(StoreDown):
        standing.standing(CALL)
    standing.refresh(clock.now)
    assert standing.standing(CALL) == ()
    clock.now += 2_001
    with pytest.raises(StoreDown):
        standing.standing(CALL)
    with pytest.raises(StoreDown):
        standing.live()


def test_only_what_is_approved_stands_and_only_for_its_call(
    rows: MemoryInquiries, standing: StandingApprovals, clock: Clock
) -> None:
    rows.add(approved(), b"")
    rows.add(inquiry("q2", digest="2"), b"")
    standing.refresh(clock.now)
    assert standing.standing(CALL) == (Asked(approved()),)
    assert standing.standing(call("delete_patient", patient_id="p-2")) == ()
    assert [a.inquiry.id for a in standing.live()] == ["q2", "q1"]
    clock.now += 900
    standing.refresh(clock.now)
    assert (standing.standing(CALL), standing.live()) == ((), ())


def test_a_grant_stands_for_all_calls_of_its_place(
    rows: MemoryInquiries, standing: StandingApprovals, clock: Clock
) -> None:
    who, bounds = CALL.principal, (Bound("/patient_id", "one-of", ("p-1",)),)
    scope = Scope(who.id, who.agent, CLINIC.name, CLINIC.fingerprint, "delete_patient", bounds)
    rows.add(approved(kind="grant", scope=scope, uses=2), b"")
    rows.add(approved("q2", digest="2"), b"")
    standing.refresh(clock.now)
    assert [a.inquiry.id for a in standing.standing(CALL)] == ["q2", "q1"], "the exact one first"
    elsewhere = call("delete_patient", patient_id="p-2")
    assert [a.inquiry.id for a in standing.standing(elsewhere)] == ["q1"], "bounds are judged later"


async def test_the_database_decides_not_the_copy(
    rows: MemoryInquiries, standing: StandingApprovals, clock: Clock
) -> None:
    rows.add(approved(), b"")
    standing.refresh(clock.now)
    assert rows.claim(["q1"], "w2", clock.now)
    assert standing.standing(CALL), "its copy does not know yet"
    assert not await standing.consume(["q1"])
    assert standing.standing(CALL) == ()
    assert await standing.consume([])


async def test_who_used_it_is_kept(
    rows: MemoryInquiries, standing: StandingApprovals, clock: Clock
) -> None:
    rows.add(approved(), b"")
    assert await standing.consume(["q1"])
    asked = rows.get("q1")
    assert asked is not None
    assert (asked.inquiry.node, asked.inquiry.used) == ("w1", AT)


def test_every_change_is_another_version(
    rows: MemoryInquiries, standing: StandingApprovals, clock: Clock
) -> None:
    assert standing.version == -1
    standing.refresh(clock.now)
    before = standing.version
    rows.add(inquiry(), b"")
    standing.refresh(clock.now)
    assert standing.version > before
