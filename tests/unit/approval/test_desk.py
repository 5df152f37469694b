import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from lockgate.approval.desk import Desk
from lockgate.approval.payload import read_stored, stored
from lockgate.approval.rules import (
    HOUR_MS,
    KEPT_MS,
    MOST_ASKED,
    MOST_WAITING,
    ApprovalRules,
    FactorRule,
)
from lockgate.model import AuditEvent, Call, Decision, Effect, Verdict, combine, question_of
from lockgate.model.inquiry import Kept
from lockgate.store.memory_inquiries import MemoryInquiries
from support.inquiries import AT, approved, inquiry
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
                         lambda: "e", self._next, patience=0)  # fmt: skip

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


async def test_nobody_asks_more_than_their_share_behind_the_questions_of_others(room: Room) -> None:
    for n in range(MOST_WAITING):
        await room.desk.hold(call("delete_patient", patient_id="p-1", dose=n), held())
    for n in range(1_000):
        room.store.add(inquiry(f"n{n}", holder=f"person:p{n}", created=AT + 1, expires=AT + 9_000),
                       b"payload")  # fmt: skip
    assert (await room.desk.hold(ASKED, held())).inquiry is not None, "it was asked before"
    more = call("delete_patient", patient_id="p-2", dose=1)
    assert (await room.desk.hold(more, held())).reason == "approval.too-many"


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


async def test_asking_and_taking_back_is_not_without_end(room: Room) -> None:
    for number in range(MOST_ASKED):
        over = inquiry(f"o{number}", digest=f"o{number}", state="cancelled", created=AT + number)
        room.store.add(over, b"")
    assert (await room.desk.hold(ASKED, held())).reason == "approval.too-many"
    room.now += HOUR_MS
    assert (await room.desk.hold(ASKED, held())).reason == "approval.needed"


async def test_each_use_of_a_grant_is_on_record_and_keeps_no_answer(room: Room) -> None:
    grant = approved("g1", kind="grant", uses=2, digest="g")
    room.store.add(grant, b"")
    for left, state in ((1, "approved"), (0, "succeeded")):
        assert room.store.claim(["g1"], "w", room.now)
        await room.desk.finish(["g1"], "approval.ran", Kept(b"{}"))
        now = room.store.get("g1")
        assert now is not None
        assert (now.inquiry.uses, now.inquiry.state) == (left, state)
    drawn = [e.header for e in room.noted if e.header["action"] == "approval.drawn"]
    assert [(h["target"], h["uses"], h["ended"]) for h in drawn] == [
        ("g1", 1, "approval.ran"), ("g1", 0, "approval.ran"),
    ]  # fmt: skip
    assert room.store.kept("g1") is None


async def test_an_edit_stands_in_for_what_it_came_from(room: Room) -> None:
    first = (await room.desk.hold(ASKED, held())).inquiry
    assert first is not None
    other = call("delete_patient", patient_id="p-1", dose=5)
    digest = question_of(other, held()).digest
    edit = replace(first, id="e1", parent=first.id, digest=digest, created=room.now + 1)
    room.store.add(edit, b"")
    assert room.store.replace(replace(first, state="superseded", version=first.version + 1))
    again = await room.desk.hold(ASKED, held())
    assert (again.inquiry, again.reason) == (edit, "approval.needed")
    room.now = edit.expires
    anew = (await room.desk.hold(ASKED, held())).inquiry
    assert anew is not None
    assert anew.id not in (first.id, "e1"), "nobody answered the edit"


async def asked_and_used(room: Room) -> str:
    found = await room.desk.hold(ASKED, held())
    assert found.inquiry is not None
    room.store.replace(replace(found.inquiry, state="approved", version=2))
    assert room.store.claim([found.inquiry.id], "w", room.now)
    return found.inquiry.id


async def test_whoever_asks_again_waits_for_what_runs(room: Room) -> None:
    changes, working = iter(range(1_000)), {"q1"}
    desk = Desk(room.store, lambda: RULES, room.noted.append, lambda: room.now, lambda: "e",
                room._next, working, lambda: next(changes), 20.0)  # fmt: skip
    id = await asked_and_used(room)
    waits = [asyncio.ensure_future(desk.hold(ASKED, held())),
             asyncio.ensure_future(desk.join([id]))]  # fmt: skip
    await desk.finish([id], "approval.ran", Kept(b"{}"))
    for said in await asyncio.gather(*waits):
        assert (said.reason, said.kept) == ("approval.ran", Kept(b"{}"))
    assert not working


async def test_who_joins_what_nobody_used_is_told_so(room: Room) -> None:
    assert (await room.desk.join(["q9"])).reason == "approval.used"


async def test_a_question_is_looked_up_by_whoever_asked_it_alone(room: Room) -> None:
    id = await asked_and_used(room)
    found = await room.desk.look(id, ALICE)
    assert found is not None
    assert (found.reason, found.call.digest) == ("approval.running", ASKED.digest)
    assert await room.desk.look(id, replace(ALICE, subject="bob")) is None
    assert await room.desk.look(id, replace(ALICE, agent="another")) is None
    assert await room.desk.look("q9", ALICE) is None
    room.now += 10 * KEPT_MS
    assert await room.desk.look(id, ALICE) is None, "it is kept no more"


async def test_a_renewed_lease_never_costs_a_result(room: Room) -> None:
    id = await asked_and_used(room)
    before = room.store.replace

    def meanwhile(changed: Any, vote: Any = None) -> bool:
        room.store.replace = before  # type: ignore[method-assign]
        now = room.store.get(id)
        assert now is not None
        assert before(replace(now.inquiry, lease=9, version=now.inquiry.version + 1))
        return before(changed, vote)

    room.store.replace = meanwhile  # type: ignore[method-assign]
    await room.desk.finish([id], "approval.ran", Kept(b"{}"))
    asked = room.store.get(id)
    assert asked is not None
    assert asked.inquiry.state == "succeeded"


async def test_a_handle_that_was_superseded_leads_to_the_edit_and_says_what_changed(
    room: Room,
) -> None:
    first = (await room.desk.hold(ASKED, held())).inquiry
    assert first is not None
    other = call("delete_patient", patient_id="p-1", dose=5)
    edit = replace(first, id="e1", parent=first.id, digest="e", created=room.now + 1)
    room.store.add(edit, stored(other))
    over = replace(first, state="superseded", version=first.version + 1)
    assert room.store.replace(over)
    for handle in (first.id, "e1"):
        found = await room.desk.look(handle, ALICE)
        assert found is not None
        assert (found.inquiry.id, found.call.digest) == ("e1", other.digest)
        assert list(map(str, found.changes)) == ["/dose: 10 -> 5"]


async def test_what_came_of_an_edit_is_no_answer_to_what_was_asked(room: Room) -> None:
    first = (await room.desk.hold(ASKED, held())).inquiry
    assert first is not None
    other = call("delete_patient", patient_id="p-1", dose=5)
    edit = replace(first, id="e1", parent=first.id, digest=question_of(other, held()).digest,
                   created=room.now + 1, state="succeeded", reason="approval.ran")  # fmt: skip
    room.store.add(edit, stored(other))
    room.store.keep("e1", Kept(b"{}"))
    assert room.store.replace(replace(first, state="superseded", version=first.version + 1))
    again = await room.desk.hold(ASKED, held())
    assert (again.reason, again.kept, again.inquiry) == ("approval.edited", None, edit)
    assert (await room.desk.hold(other, held())).kept == Kept(b"{}")
