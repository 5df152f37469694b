import pytest
from msgspec.structs import replace

from lockgate.approval.desk import Desk, event, inquiry_of, reason_of
from lockgate.approval.payload import read_stored
from lockgate.approval.rules import KEPT_MS, MOST_WAITING, ApprovalRules, FactorRule
from lockgate.model import AuditEvent, Call, Decision, Effect, Verdict, combine, question_of
from lockgate.model.inquiry import Kept, Need
from lockgate.store.memory_inquiries import MemoryInquiries
from support.inquiries import AT, approved
from worlds import ALICE, call

ASKED = call("delete_patient", patient_id="p-1", dose=10)
RULES = ApprovalRules({
    "owner": FactorRule(count=2, relation="lead", argument="/patient_id", pending=500),
    "security": FactorRule(window=50, on_retry=True),
})  # fmt: skip


def held(asked: Call = ASKED, *factors: str) -> Decision:
    said = Verdict("approval.gate", Effect.HOLD, "approval.needed", factors=factors or ("owner",),
                   grounds="g")  # fmt: skip
    return combine(asked.digest, [said], required=frozenset({said.control}))


class Room:
    def __init__(self) -> None:
        self.now = AT
        self.store = MemoryInquiries(lambda: self.now)
        self.noted: list[AuditEvent] = []
        self._ids = 0
        self.desk = Desk(self.store, lambda: RULES, self.noted.append, lambda: self.now,
                         lambda: "e", self._next)  # fmt: skip

    def _next(self) -> str:
        self._ids += 1
        return f"q{self._ids}"


@pytest.fixture
def room() -> Room:
    return Room()


async def test_a_held_call_becomes_a_question_with_all_it_takes(room: Room) -> None:
    found = await room.desk.hold(ASKED, held())
    assert (found.reason, found.kept) == ("approval.needed", None)
    assert found.inquiry is not None
    assert found.inquiry.digest == question_of(ASKED, held()).digest
    payload = room.store.payload(found.inquiry.id)
    assert payload is not None
    assert read_stored(payload).call().digest == ASKED.digest
    assert [e.header["action"] for e in room.noted] == ["approval.requested"]


async def test_asking_again_asks_nobody_again(room: Room) -> None:
    first, second = [await room.desk.hold(ASKED, held()) for _ in range(2)]
    assert first.inquiry == second.inquiry
    assert len(room.noted) == 1
    other = await room.desk.hold(call("delete_patient", patient_id="p-1", dose=100), held())
    assert other.inquiry != first.inquiry, "one digit more is another question"


async def test_what_came_of_it_is_kept_for_whoever_asks_the_same(room: Room) -> None:
    found = await room.desk.hold(ASKED, held())
    assert found.inquiry is not None
    room.store.replace(replace(found.inquiry, state="approved", version=2))
    assert room.store.claim([found.inquiry.id], "w", room.now)
    assert (await room.desk.hold(ASKED, held())).reason == "approval.running"
    await room.desk.finish([found.inquiry.id], "approval.ran", Kept(b"{}"))
    again = await room.desk.hold(ASKED, held())
    assert (again.kept, again.reason) == (Kept(b"{}"), "approval.ran")
    assert room.noted[-1].header["action"] == "approval.succeeded"
    room.now += KEPT_MS
    assert (await room.desk.hold(ASKED, held())).kept is None


async def test_a_call_that_failed_says_why(room: Room) -> None:
    found = await room.desk.hold(ASKED, held())
    assert found.inquiry is not None
    room.store.replace(replace(found.inquiry, state="used", version=2))
    await room.desk.finish([found.inquiry.id], "upstream.timeout", None)
    again = await room.desk.hold(ASKED, held())
    assert (again.reason, again.kept) == ("upstream.timeout", None)


async def test_an_error_that_was_let_out_is_kept_and_is_no_success(room: Room) -> None:
    room.store.add(approved(state="used"), b"")
    await room.desk.finish(["q1", "none"], "approval.ran", Kept(b"{}", is_error=True))
    asked = room.store.get("q1")
    assert asked is not None
    assert (asked.inquiry.state, room.store.kept("q1")) == ("failed", Kept(b"{}", is_error=True))


async def test_a_grant_that_may_be_used_again_is_not_over(room: Room) -> None:
    room.store.add(approved(kind="grant"), b"")
    await room.desk.finish(["q1"], "approval.ran", Kept(b"{}"))
    asked = room.store.get("q1")
    assert asked is not None
    assert asked.inquiry.state == "approved"


async def test_one_caller_cannot_have_everybody_read_all_day(room: Room) -> None:
    def nth(number: int) -> Call:
        return call("delete_patient", patient_id=str(number))

    for number in range(MOST_WAITING):
        assert (await room.desk.hold(nth(number), held())).inquiry is not None
    refused = await room.desk.hold(nth(MOST_WAITING), held())
    assert (refused.inquiry, refused.reason) == (None, "approval.too-many")
    assert (await room.desk.hold(nth(0), held())).inquiry is not None, "asked already"


def test_what_the_rules_say_goes_into_the_question() -> None:
    service = replace(ALICE, kind="service", subject="ci", owner="dora", actors=("bot",))
    asked = replace(ASKED, principal=service)
    one = inquiry_of(asked, held(asked, "owner", "security"), RULES, AT, "q")
    assert one.needs == (Need("owner", 2), Need("security"))
    assert (one.expires, one.window, one.on_retry) == (AT + 500, 50, True)
    assert one.excluded == ("bot", "ci", "dora")
    assert one.tool["entity /patient_id"] == "p-1"
    assert (one.title, one.holder) == ("clinic/delete_patient", "service:ci")


@pytest.mark.parametrize(
    ("state", "reason"),
    [("pending", "approval.needed"), ("approved", "approval.needed"), ("used", "approval.running"),
     ("denied", "approval.denied"), ("vetoed", "approval.vetoed")],
)  # fmt: skip
def test_what_whoever_asked_is_told(state: str, reason: str) -> None:
    assert reason_of(approved(state=state)) == reason


def test_a_step_in_the_journal_names_nobody() -> None:
    row = event("e1", "answered", approved(holder="person:alice"), AT, b"{}", answer="yes")
    assert (row.kind, row.call, row.slots) == ("approval.changed", "c1", {"actor": b"{}"})
    assert "alice" not in str(row.header)
