import orjson
import pytest

from lockgate.model import (
    NOW,
    AuditEvent,
    Effect,
    Facts,
    Known,
    Verdict,
    binding_of,
    combine,
)
from lockgate.pipeline import record
from support.desk import Desk
from worlds import call

POLICY = "policy-1"
ASKED = call("delete_patient", patient_id="p-001")


def held(effect: Effect = Effect.HOLD) -> AuditEvent:
    said = Verdict("approval.gate", effect, "approval.needed", factor="owner")
    decision = combine(ASKED.digest, [said], required=frozenset({"approval.gate"}))
    facts = Facts({NOW: Known(1)})
    return record.intent(record.Stamp("e-1", 1_700_000_000_000), ASKED, decision, facts, POLICY)


@pytest.fixture
def waiting(desk: Desk) -> Desk:
    desk.configure("{}")
    desk.events.append((held(),))
    desk.approvals.refresh(desk.now)
    return desk


def test_a_held_call_is_listed_with_what_would_be_sent(waiting: Desk) -> None:
    found = waiting.type("approvals", "list")
    assert found.code == 0
    for shown in ("c-1", "alice", "clinic/delete_patient", "owner", '"patient_id":"p-001"'):
        assert shown in found.out
    rows = waiting.type("approvals", "list", "--json").json
    assert isinstance(rows, list)
    assert [row["needs"] for row in rows] == ["owner"]


def test_a_yes_covers_exactly_this_call_once_and_is_in_the_journal(waiting: Desk) -> None:
    assert waiting.type("approvals", "give", "c-1", "--minutes", "5").code == 0
    (given,) = waiting.approvals.standing(ASKED.digest)
    assert given.covers(binding_of(ASKED, POLICY), waiting.now)
    assert not given.covers(binding_of(ASKED, "policy-2"), waiting.now)
    assert given.expires == waiting.now + 300_000
    event = waiting.events.tail(1)[0].event
    assert (event.kind, event.header["action"]) == ("admin.changed", "approval.give")
    assert orjson.loads(event.slots["actor"])["account"] == "opal"


@pytest.mark.parametrize(
    "words",
    [("c-9",), ("c-1", "--minutes", "0"), ("c-1", "--minutes", "1441")],
)
def test_what_cannot_be_approved_is_refused(waiting: Desk, words: tuple[str, ...]) -> None:
    assert waiting.type("approvals", "give", *words).code == 3
    assert waiting.approvals.standing(ASKED.digest) == ()


def test_a_call_that_was_denied_cannot_be_approved(desk: Desk) -> None:
    desk.configure("{}")
    desk.events.append((held(Effect.DENY),))
    assert desk.type("approvals", "give", "c-1").code == 3
    assert "No call waits" in desk.type("approvals", "list").err
