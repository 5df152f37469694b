import pytest
from msgspec.structs import replace

from lockgate.approval.questions import event, inquiry_of, reason_of
from lockgate.approval.rules import ApprovalRules, FactorRule
from lockgate.model import Call, Decision, Effect, Verdict, combine
from lockgate.model.inquiry import Need
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
