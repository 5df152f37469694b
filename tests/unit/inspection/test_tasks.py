from typing import Any

import msgspec
import orjson
import pytest

from lockgate.inspection.tasks import handle_fault, status_fault
from lockgate.model import Call, Envelope, Reply
from lockgate.wire.tasks import LONGEST_ID
from worlds import ALICE, CLINIC, call, tool

DECLARED = Envelope(asks=b'{"extensions":{"io.modelcontextprotocol/tasks":{}}}')
WHEN = {"createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z"}
TASK = {"taskId": "t-1", "status": "working", "ttlMs": None, "pollIntervalMs": 100, **WHEN}
ASK = {"method": "elicitation/create", "params": {"message": "?"}}
DONE = {"content": [], "isError": False}


def handle(asked: Call | None = None, /, **members: Any) -> str:
    tools_call = asked or msgspec.structs.replace(call(), envelope=DECLARED)
    said = {"resultType": "task", **TASK, **members}
    return handle_fault(Reply(tools_call, orjson.dumps(said)))


def status(**members: Any) -> str:
    asked = Call("c", ALICE, "tasks/get", CLINIC, "t-1", b'{"taskId":"t-1"}', tool())
    said = {k: v for k, v in {**TASK, **members}.items() if v != "gone"}
    return status_fault(Reply(asked, orjson.dumps(said)))


def test_a_handle_is_for_who_takes_one() -> None:
    assert handle() == ""
    envelopes = (
        Envelope(),
        Envelope(asks=b'{"elicitation":{}}'),
        Envelope(era="legacy", asks=DECLARED.asks),
    )
    for envelope in envelopes:
        undeclared = msgspec.structs.replace(call(), envelope=envelope)
        assert handle(undeclared) == "reply.unknown-type"
    prompt = Call("c", ALICE, "prompts/get", CLINIC, "p", envelope=DECLARED)
    assert handle(prompt) == "reply.unknown-type"


@pytest.mark.parametrize(
    "members",
    [
        {"taskId": ""},
        {"taskId": 7},
        {"taskId": "x" * (LONGEST_ID + 1)},
        {"status": "running"},
        {"status": ["working"]},
        {"ttlMs": "1"},
        {"ttlMs": True},
        {"pollIntervalMs": 0.5},
        {"createdAt": 0},
        {"lastUpdatedAt": None},
        {"statusMessage": {"text": "x"}},
    ],
    ids=lambda said: next(iter(said)) + str(len(str(said))),
)
def test_a_task_has_its_shape(members: dict[str, Any]) -> None:
    assert handle(**members) == "reply.shape"
    assert status(**members) == "reply.shape"


def test_a_handle_never_asks() -> None:
    assert handle(status="input_required") == ""
    assert handle(status="input_required", inputRequests={"a": ASK}) == "reply.shape"
    assert handle(result={"content": "x"}) == "reply.shape"


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({}, ""),
        ({"resultType": "complete", "statusMessage": "soon", "vendor": 1}, ""),
        ({"status": "cancelled"}, ""),
        ({"ttlMs": "gone", "createdAt": "gone"}, ""),
        ({"taskId": "t-2"}, "reply.shape"),
        ({"taskId": "gone"}, "reply.shape"),
        ({"status": "completed"}, "reply.shape"),
        ({"status": "completed", "result": DONE}, ""),
        ({"status": "completed", "result": DONE | {"resultType": "complete"}}, ""),
        ({"status": "completed", "result": DONE | {"resultType": "task"}}, "reply.shape"),
        ({"status": "completed", "result": DONE | {"resultType": ["complete"]}}, "reply.shape"),
        ({"status": "completed", "result": {"content": {}}}, "reply.shape"),
        ({"status": "completed", "result": []}, "reply.shape"),
        ({"status": "working", "result": {"content": 1}}, "reply.shape"),
        ({"status": "failed"}, "reply.shape"),
        ({"status": "failed", "error": {"code": -1, "message": "x"}}, ""),
        ({"status": "failed", "error": {"code": "-1", "message": "x"}}, "reply.shape"),
        ({"status": "failed", "error": {"code": True, "message": "x"}}, "reply.shape"),
        ({"status": "failed", "error": {"code": -1}}, "reply.shape"),
        ({"status": "failed", "error": "x"}, "reply.shape"),
        ({"status": "input_required"}, "reply.shape"),
        ({"status": "input_required", "inputRequests": {"a": ASK}}, ""),
        ({"status": "input_required", "inputRequests": {"a": {"method": "x"}}}, "reply.shape"),
        ({"status": "input_required", "inputRequests": [ASK]}, "reply.shape"),
        ({"status": "working", "inputRequests": {"a": {"method": "x"}}}, "reply.shape"),
    ],
)
def test_a_status_comes_with_what_it_requires(members: dict[str, Any], fault: str) -> None:
    assert status(**members) == fault
