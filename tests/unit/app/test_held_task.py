"""Tasks that wait for a person: one state in the database, and any worker can tell it."""

from typing import Any

import msgspec
import orjson
import pytest

from lockgate.model.inquiry import Kept
from support.asking import DONE, Modern, modern_client, reasons
from support.holding import (
    ASK,
    CONSOLE,
    PAGES,
    PATIENT,
    TASKS,
    execute,
    held_stage,
    question,
    said,
    steps,
)
from support.scenario import NOW_MS, Stage, principal_of
from support.staged import BOB, Said, Speaker, regate

METHODS = ["tasks/get", "tasks/update", "tasks/cancel"]


async def begun(stage: Stage, **more: Any) -> tuple[Speaker, str, Said]:
    alice = modern_client(stage, TASKS | PAGES)
    found = await alice.modern("tools/call", {**PATIENT, **more})
    assert found.result["resultType"] == "task", found.body
    return alice, str(found.result["taskId"]), found


async def about(alice: Speaker, id: str, method: str = "tasks/get") -> Said:
    more: Any = {"inputResponses": {}} if method == "tasks/update" else {}
    return await alice.modern(method, {"taskId": id, **more}, id=7, mcp_name=id)


async def test_the_handle_comes_at_once() -> None:
    _, id, found = await begun(held_stage())
    assert {**found.result, "taskId": "", "_meta": {}} == {
        "resultType": "task", "taskId": "", "status": "working", "_meta": {},
        "statusMessage": f"awaiting approval by a person at {CONSOLE}/console/approvals/q-1",
        "createdAt": "1970-01-01T00:16:40Z", "lastUpdatedAt": "1970-01-01T00:16:40Z",
        "ttlMs": 80 * 60_000, "pollIntervalMs": 2_000,
    }  # fmt: skip
    assert found.result["_meta"][ASK]["handle"] == "q-1"
    assert "q-1" not in id, "sealed"


async def test_it_works_until_it_is_approved_and_has_run() -> None:
    stage = held_stage()
    alice, id, _ = await begun(stage)
    for message in ("awaiting approval", "approved, running"):
        found = await about(alice, id)
        assert found.result["status"] == "working"
        assert found.result["statusMessage"].startswith(message)
        assert found.result["resultType"] == "complete"
        if question(stage).state == "pending":
            said(stage)
    await execute(stage)
    done = await about(alice, id)
    assert (done.result["status"], done.result["taskId"]) == ("completed", id)
    assert done.result["result"]["content"] == DONE["content"]
    assert (await about(alice, id)).result["status"] == "completed", "as often as one asks"
    assert len(stage.simulated.calls) == 1
    assert await steps(stage) == ["requested", "told:task", "succeeded"]


@pytest.mark.parametrize(("answer", "reason"), [("no", "denied"), ("veto", "vetoed")])
async def test_a_no_is_a_failure_with_its_reason(answer: Any, reason: str) -> None:
    stage = held_stage()
    alice, id, _ = await begun(stage)
    said(stage, answer)
    found = await about(alice, id)
    assert found.result["status"] == "failed"
    assert found.result["error"]["data"]["reason"] == f"approval.{reason}"


async def test_what_nobody_answered_is_a_failure() -> None:
    stage = held_stage()
    alice, id, _ = await begun(stage)
    old = msgspec.structs.replace(question(stage), expires=NOW_MS, version=2)
    assert stage.inquiries.replace(old)
    found = await about(alice, id)
    assert found.result["error"]["data"]["reason"] == "approval.expired"


async def test_what_ran_and_failed_says_so() -> None:
    stage = held_stage()
    alice, id, _ = await begun(stage)
    said(stage)
    stage.simulated.fault = "timeout"
    await execute(stage)
    found = await about(alice, id)
    assert found.result["status"] == "failed"
    assert found.result["error"]["data"]["reason"] == "upstream.timeout"


async def test_an_error_of_the_upstream_is_the_tasks() -> None:
    stage = held_stage()
    alice, id, _ = await begun(stage)
    said(stage)
    assert stage.inquiries.claim(["q-1"], "", NOW_MS)
    error = Kept(b'{"code":-32603,"message":"theirs"}', is_error=True)
    await stage.gateway.state.gate.desk.finish(["q-1"], "approval.ran", error)
    found = await about(alice, id)
    assert (found.result["status"], found.result["error"]["message"]) == ("failed", "theirs")


async def test_numbers_pass_as_they_came() -> None:
    stage = held_stage()
    alice, id, _ = await begun(stage)
    said(stage)
    assert stage.inquiries.claim(["q-1"], "", NOW_MS)
    raw = b'{"content":[],"structuredContent":{"n":12345678901234567890.10}}'
    await stage.gateway.state.gate.desk.finish(["q-1"], "approval.ran", Kept(raw))
    assert b"12345678901234567890.10" in (await about(alice, id)).answer.body


async def test_the_requester_cancels_it() -> None:
    stage = held_stage()
    alice, id, _ = await begun(stage)
    assert (await about(alice, id, "tasks/cancel")).result["resultType"] == "complete"
    assert question(stage).state == "cancelled"
    assert (await about(alice, id)).result["status"] == "cancelled"
    assert (await about(alice, id, "tasks/cancel")).status == 200, "again: nothing to do"
    assert await steps(stage) == ["requested", "told:task", "cancelled"]


async def test_nothing_is_asked_of_the_client_so_it_tells_nothing() -> None:
    stage = held_stage()
    alice, id, _ = await begun(stage)
    yes = {"taskId": id, "inputResponses": {ASK: {"action": "accept", "content": {"ok": True}}}}
    found = await alice.modern("tasks/update", yes, id=8, mcp_name=id)
    assert found.result["resultType"] == "complete"
    assert question(stage).state == "pending"


@pytest.mark.parametrize("method", METHODS)
async def test_it_is_of_no_use_to_anybody_else_or_elsewhere(method: str) -> None:
    stage = held_stage()
    _, id, _ = await begun(stage)
    bob = Speaker(stage, who=BOB, capabilities=TASKS)
    assert (await about(bob, id, method)).reason == "task.unknown"
    agent = Speaker(stage, who=principal_of("alice via tablet as doctor"), capabilities=TASKS)
    assert (await about(agent, id, method)).reason == "task.unknown"
    elsewhere = Speaker(stage, "/mcp", capabilities=TASKS)
    assert (await about(elsewhere, id, method)).reason == "task.unknown"
    assert question(stage).state == "pending"


async def test_its_request_declares_the_extension() -> None:
    stage = held_stage()
    _, id, _ = await begun(stage)
    assert (await about(modern_client(stage, PAGES), id)).reason == "task.not-declared"


async def test_who_may_not_call_it_any_more_is_not_told_what_came_of_it() -> None:
    stage = held_stage()
    alice, id, _ = await begun(stage)
    said(stage)
    await execute(stage)
    other = held_stage(policy='permit(principal, action in [Action::"list"], resource);')
    regate(stage, order=other.gateway.state.gate.order)
    found = await about(alice, id)
    assert found.result["status"] == "failed"
    assert found.result["error"]["data"]["reason"] == "policy.no-rule"
    assert (await reasons(stage, "call.intent"))[-1] == "policy.no-rule"


async def test_where_the_upstream_made_a_task_of_it_that_is_followed() -> None:
    stage = held_stage()
    alice, id, _ = await begun(stage)
    theirs = {"taskId": "theirs", "status": "working", "ttlMs": None}
    done = {**theirs, "status": "completed", "result": DONE}
    server = Modern(stage, {"resultType": "task", **theirs}, theirs, done)
    said(stage)
    await execute(stage)
    for status in ("working", "completed"):
        found = await about(alice, id)
        assert (found.result["status"], found.result["taskId"]) == (status, id)
    assert orjson.loads(server.calls[-1].params) == {"taskId": "theirs"}
