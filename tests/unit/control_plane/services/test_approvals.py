from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from lockgate.approval.payload import stored
from lockgate.approval.rules import MOST_PER_HOUR, ApprovalRules, FactorRule
from lockgate.control_plane.services.acting import Actor
from lockgate.control_plane.services.approvals import Approvals, mine
from lockgate.control_plane.services.refused import Refused
from lockgate.model.inquiry import Kept, Need
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.memory_inquiries import MemoryInquiries
from support.inquiries import AT, BINDING, CALL, approved, inquiry, operators

RULES = ApprovalRules(
    {"owner": FactorRule(people=frozenset({"oidc:dora", "oidc:erin", "oidc:alice"})),
     "security": FactorRule(people=frozenset({"oidc:sam"}))},
    frozenset({"oidc:vera"}),
)  # fmt: skip
DIGEST = BINDING.digest


class Room:
    """Questions, and whoever looks at them."""

    def __init__(self) -> None:
        self.now = AT
        self.store = MemoryInquiries(lambda: self.now)
        self.events = MemoryEvents()
        self.approvers = operators(lambda: AT)
        self.approvers.rules = RULES
        self._ids = 0

    def as_(self, identity: str) -> Approvals:
        return Approvals(self.store, self.events, self.approvers, Actor(identity, "cli"),
                         lambda: self.now, self._random)  # fmt: skip

    def ask(self, **changes: Any) -> None:
        self.store.add(inquiry(**changes), stored(CALL))

    def actions(self) -> list[str]:
        return [row.event.header["action"] for row in self.events.tail(10)]

    def _random(self, count: int) -> bytes:
        self._ids += 1
        return self._ids.to_bytes(count, "big")


@pytest.fixture
def room() -> Room:
    return Room()


def test_a_question_is_shown_with_what_would_run_exactly(room: Room) -> None:
    room.ask()
    seen = room.as_("oidc:dora").show("q1")
    assert seen.call is not None
    assert (seen.call.params, seen.call.call().digest) == (CALL.params, CALL.digest)
    assert (seen.voice.factors, seen.missing) == (
        frozenset({"owner"}), (Need("owner"),)
    )  # fmt: skip
    assert room.as_("oidc:dora").show("c1").asked == seen.asked, "by the call that asked"
    with pytest.raises(Refused, match="no question"):
        room.as_("oidc:dora").show("q9")


def test_what_one_can_answer_is_told_apart(room: Room) -> None:
    room.ask()
    assert [len(mine(room.as_(f"oidc:{who}").waiting())) for who in ("dora", "sam", "alice")] == [
        1, 0, 0,
    ]  # fmt: skip
    assert len(room.as_("oidc:sam").waiting()) == 1


def test_a_yes_is_on_record_before_it_counts(room: Room) -> None:
    room.ask()
    asked = room.as_("oidc:dora").answer("q1", DIGEST, "yes", " looked at the chart ")
    assert asked.inquiry.state == "approved"
    assert room.store.get("q1") == asked
    (row,) = room.events.tail(1)
    assert (row.event.kind, row.event.call) == ("approval.changed", "c1")
    assert row.event.header["answer"] == "yes"
    assert row.event.header["factors"] == ["owner"]
    assert "dora" not in str(row.event.header), "a header names no person"
    assert orjson.loads(row.event.slots["actor"])["identity"] == "oidc:dora"
    assert asked.votes[0].note == "looked at the chart"


@pytest.mark.parametrize(
    ("who", "digest", "answer", "said"),
    [
        ("oidc:alice", DIGEST, "yes", "asked for themselves"),
        ("oidc:frank", DIGEST, "yes", "not yours"),
        ("oidc:frank", DIGEST, "no", "not yours"),
        ("oidc:frank", DIGEST, "veto", "not yours"),
        ("oidc:dora", "0" * 64, "yes", "not what is asked"),
    ],
)
def test_what_may_not_be_answered(
    room: Room, who: str, digest: str, answer: Any, said: str
) -> None:
    room.ask()
    with pytest.raises(Refused, match=said):
        room.as_(who).answer("q1", digest, answer)
    assert room.events.count() == 0
    found = room.store.get("q1")
    assert found is not None
    assert (found.inquiry.state, found.votes) == ("pending", ())


def test_one_no_and_one_veto_end_it(room: Room) -> None:
    room.ask(needs=(Need("owner"), Need("security")))
    assert room.as_("oidc:sam").answer("q1", DIGEST, "no").inquiry.state == "denied"
    room.store.add(approved("q2", digest="2"), stored(CALL))
    assert room.as_("oidc:vera").answer("q2", "2", "veto").inquiry.state == "vetoed"


def test_a_yes_of_somebody_who_lost_the_right_counts_no_more(room: Room) -> None:
    room.ask(needs=(Need("owner"), Need("security")))
    room.as_("oidc:dora").answer("q1", DIGEST, "yes")
    room.approvers.rules = ApprovalRules({"owner": FactorRule(people=frozenset({"oidc:erin"})),
                                          "security": RULES.of("security")})  # fmt: skip
    asked = room.as_("oidc:sam").answer("q1", DIGEST, "yes")
    assert asked.inquiry.state == "pending"
    assert room.as_("oidc:erin").answer("q1", DIGEST, "yes").inquiry.state == "approved"


def test_what_was_approved_is_good_while_its_people_are(room: Room) -> None:
    room.ask()
    asked = room.as_("oidc:dora").answer("q1", DIGEST, "yes")
    assert room.as_("oidc:erin").good(asked)
    room.approvers.rules = ApprovalRules({"owner": FactorRule(people=frozenset({"oidc:erin"}))})
    assert not room.as_("oidc:erin").good(asked)


def test_taking_back(room: Room) -> None:
    room.ask()
    assert room.as_("oidc:alice").withdraw("q1").state == "cancelled"
    room.ask(id="q2", digest="2")
    room.as_("oidc:dora").answer("q2", "2", "yes")
    with pytest.raises(Refused, match="not yours"):
        room.as_("oidc:erin").withdraw("q2")
    assert room.as_("oidc:dora").withdraw("q2").state == "revoked"
    with pytest.raises(Refused, match="answered already"):
        room.as_("oidc:dora").withdraw("q2")
    assert room.actions() == ["approval.cancelled", "approval.answered", "approval.revoked"]


def test_nobody_says_yes_faster_than_can_be_read(room: Room) -> None:
    for number in range(MOST_PER_HOUR + 1):
        room.ask(id=f"q{number}", digest=str(number))
    service = room.as_("oidc:dora")
    for number in range(MOST_PER_HOUR):
        service.answer(f"q{number}", str(number), "yes")
    last = str(MOST_PER_HOUR)
    with pytest.raises(Refused, match="within an hour"):
        service.answer(f"q{last}", last, "yes")
    denied = service.answer(f"q{last}", last, "no").inquiry.state
    assert denied == "denied", "a no is never too much"


def test_of_two_at_the_same_moment_one_is_told(room: Room) -> None:
    room.ask(needs=(Need("owner", 2),))

    late = room.as_("oidc:erin")
    seen = late.show("q1")
    room.as_("oidc:dora").answer("q1", DIGEST, "yes")
    stale = replace(seen.asked.inquiry, version=2)
    assert not room.store.replace(stale)
    assert late.answer("q1", DIGEST, "yes").inquiry.state == "approved"


@pytest.mark.parametrize("note", ["x" * 501, "two\nlines", "\x1b[31m"])
def test_a_note_is_one_printable_line(room: Room, note: str) -> None:
    room.ask()
    with pytest.raises(Refused, match="one line"):
        room.as_("oidc:dora").answer("q1", DIGEST, "yes", note)


def test_what_is_over(room: Room) -> None:
    room.ask(state="denied")
    room.ask(id="q2", digest="2", expires=AT)
    service = room.as_("oidc:dora")
    assert {s.asked.inquiry.state for s in service.past()} == {"denied", "expired"}
    assert service.waiting() == ()
    room.store.keep("q1", Kept(b"{}"))
    assert service.result("q1") == Kept(b"{}")


def test_what_takes_a_strong_sign_in_is_not_approved_by_a_command(room: Room) -> None:
    strong = replace(RULES.of("owner"), step_up=True)
    room.approvers.rules = replace(RULES, factors={**RULES.factors, "owner": strong})
    room.ask()
    with pytest.raises(Refused, match="strong sign-in"):
        room.as_("oidc:dora").answer("q1", DIGEST, "yes")
    assert room.as_("oidc:dora").answer("q1", DIGEST, "no").inquiry.state == "denied"


def test_a_command_speaks_for_the_other_factors(room: Room) -> None:
    both = frozenset({"oidc:dora"})
    strong = FactorRule(people=both, step_up=True)
    room.approvers.rules = ApprovalRules({"owner": strong, "security": FactorRule(people=both)})
    room.ask(needs=(Need("owner"), Need("security")))
    asked = room.as_("oidc:dora").answer("q1", DIGEST, "yes")
    assert (asked.votes[0].factors, asked.inquiry.state) == (("security",), "pending")
