import orjson

from lockgate.model import (
    APPROVALS,
    NOW,
    Approval,
    Binding,
    Effect,
    Facts,
    Finding,
    Known,
    Reply,
    Tool,
    Unknown,
    Verdict,
    combine,
)
from lockgate.pipeline import record
from lockgate.pipeline.caller import Caller, Endpoint
from support.world import RESULT
from worlds import ALICE, call, list_call

STAMP = record.Stamp("e-1", 7)
CALLER = Caller(ALICE, Endpoint("/mcp", ("clinic",), prefixed=True), "192.0.2.7", "c-9")
FOUND = Verdict(
    "inspection.schema", Effect.DENY, "schema.invalid",
    findings=(Finding("schema.type", "/arguments/n", 0, 0),), because=("n: type",),
)  # fmt: skip

YES = Approval("a1", Binding("b", "", ()), "owner", ("dora the approver",), 9)


def test_an_intent_holds_what_decided_and_who_asked_in_slots() -> None:
    facts = Facts({
        NOW: Known(7),
        APPROVALS: Known((YES,)),

    })  # fmt: skip
    decision = combine(call().digest, [FOUND], required=frozenset({"inspection.schema"}))
    event = record.intent(STAMP, call(n="v"), decision, facts, "p1")
    assert (event.kind, event.effect, event.reason) == ("call.intent", "deny", "schema.invalid")
    assert event.header["facts"] == {"clock.now": {"known": 7}, "approvals": {"known": ["a1"]}}
    assert event.header["verdicts"][0]["findings"][0]["pointer"] == "/arguments/n"
    assert orjson.loads(event.slots["actor"])["subject"] == "alice"
    assert event.slots["args"] == call(n="v").params
    assert "dora" not in repr(event)


def test_an_unknown_fact_is_recorded_with_its_cause() -> None:
    decision = combine("d", [FOUND], required=frozenset({"inspection.schema"}))
    event = record.intent(STAMP, call(), decision, Facts({NOW: Unknown("deadline")}), "p1")
    assert event.header["facts"] == {"clock.now": {"unknown": "deadline"}}


def test_a_resource_uri_is_not_in_the_header() -> None:
    decision = combine("d", [FOUND], required=frozenset({"inspection.schema"}))
    read = list_call("resources/read")
    assert record.intent(STAMP, read, decision, Facts({}), "p1").header["target"] == ""
    assert record.intent(STAMP, call(), decision, Facts({}), "p1").header["target"] == "get_patient"


def test_a_large_result_is_kept_as_size_and_digest() -> None:
    reply = Reply(call(), RESULT)
    decision = combine(reply.digest, [FOUND], required=frozenset({"inspection.schema"}))
    whole = record.outcome(STAMP, call(), decision, reply, result_cap=1_000)
    assert whole.slots["result"] == RESULT
    cut = orjson.loads(
        record.outcome(STAMP, call(), decision, reply, result_cap=10).slots["result"]
    )
    assert (cut["cut"], cut["bytes"]) == (True, len(RESULT))


def test_large_arguments_are_kept_whole_unless_they_are_denied() -> None:
    large, cap = call(n="v" * 1_000), 100
    denied = combine("d", [FOUND], required=frozenset({"inspection.schema"}))
    slot = record.intent(STAMP, large, denied, Facts({}), "p1", cap).slots["args"]
    cut = orjson.loads(slot)
    assert (cut["cut"], cut["bytes"]) == (True, len(large.params))
    whole = record.intent(STAMP, call(n="v"), denied, Facts({}), "p1", 1_000)
    assert whole.slots["args"] == call(n="v").params
    for effect in (Effect.HOLD, Effect.PERMIT):
        said = Verdict("inspection.schema", effect, "schema.valid")
        decision = combine("d", [said], required=frozenset({"inspection.schema"}))
        assert decision.effect is effect
        event = record.intent(STAMP, large, decision, Facts({}), "p1", cap)
        assert event.slots["args"] == large.params


def test_a_refused_request_and_a_session_name_their_caller() -> None:
    refused = record.refusal(STAMP, CALLER, "tools/call", "wire.not-json", b'"raw"')
    assert (refused.kind, refused.call, refused.reason) == ("call.refused", "c-9", "wire.not-json")
    assert b"192.0.2.7" in refused.slots["net"]
    opened = record.session(STAMP, "session.opened", "s-1", CALLER)
    assert (opened.kind, opened.header["session"]) == ("session.opened", "s-1")


def test_a_tool_that_changed_is_recorded_with_both_hashes_and_nobody_s_name() -> None:
    tool = Tool("clinic", "pay", b'{"name":"pay"}', b"{}")
    event = record.tool_changed(STAMP, call(), tool, "old-hash")
    assert (event.kind, event.reason, event.call) == ("tool.changed", "tool.changed", call().id)
    assert event.header == {"upstream": "clinic", "target": "pay", "tool": tool.hash,
                            "before": "old-hash"}  # fmt: skip
    assert event.slots == {}


def test_a_failure_says_why_without_a_result() -> None:
    event = record.failure(STAMP, call(), "upstream.timeout", "60 s")
    assert (event.kind, event.reason, event.slots) == ("call.outcome", "upstream.timeout", {})
