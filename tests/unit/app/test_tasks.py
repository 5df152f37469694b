"""Tasks from the gateway's front to its journal: no HTTP, all the rest."""

from typing import Any

import msgspec
import orjson
import pytest

from lockgate.model import Call, Permit, Reply
from lockgate.upstream.link import Hears
from support.asking import FORM, YES
from support.scenario import Stage
from support.staged import BOB, Said, Speaker, regate, rows, stage_of

Json = dict[str, Any]

TASKS: Json = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
CAN: Json = {**TASKS, "elicitation": {}}
PATIENT: Json = {"name": "get_patient", "arguments": {"patient_id": "p-1"}}
SURE = {"method": "elicitation/create", "params": FORM}
LINK = {"type": "resource_link", "uri": "file:///a", "name": "a"}
DONE = {"content": [LINK], "isError": False}
THEIRS = "task 1 of the \u00e9 clinic"
METHODS = ["tasks/get", "tasks/update", "tasks/cancel"]


class Slow:
    """An upstream whose tools become tasks. ``status`` is what ``tasks/get`` says of them."""

    def __init__(self, stage: Stage, **status: Any) -> None:
        self.task: Json = {"taskId": THEIRS, "status": "working", "ttlMs": None}
        self.status: Json = status
        self.calls: list[Call] = []
        self._stage = stage
        regate(stage, sender=self)

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        call = permit.call
        if call.method == "tools/list":
            return await self._stage.simulated.send(permit, hears)
        self.calls.append(call)
        if call.method == "tools/call":
            return Reply(call, orjson.dumps({"resultType": "task", **self.task}))
        if call.method == "tasks/get":
            return Reply(call, orjson.dumps({**self.task, **self.status}))
        return Reply(call, b'{"resultType":"complete"}')


def client(stage: Stage, path: str = "/mcp/clinic", who: Any = None, can: Json = CAN) -> Speaker:
    return Speaker(stage, path, who, can)


async def begun(alice: Speaker, **more: Any) -> str:
    said = await alice.modern("tools/call", {**PATIENT, **more})
    assert said.result["resultType"] == "task", said.body
    return str(said.result["taskId"])


async def about(alice: Speaker, method: str, id: str, **more: Any) -> Said:
    updates: Json = {"inputResponses": {}} if method == "tasks/update" else {}
    return await alice.modern(method, {"taskId": id, **updates, **more})


async def test_a_call_that_becomes_a_task_is_followed_to_its_end() -> None:
    stage = stage_of()
    slow, alice = Slow(stage), client(stage)
    said = await alice.modern("tools/call", PATIENT)
    assert {k: said.result[k] for k in ("status", "ttlMs")} == {"status": "working", "ttlMs": None}
    id = said.result["taskId"]
    assert THEIRS not in said.answer.body.decode()
    working = await about(alice, "tasks/get", id)
    assert (working.result["taskId"], working.result["resultType"]) == (id, "complete")
    slow.status = {"status": "completed", "result": DONE}
    done = await about(alice, "tasks/get", id)
    assert (done.result["taskId"], done.result["result"]) == (id, DONE)
    assert [orjson.loads(c.params) for c in slow.calls[1:]] == [{"taskId": THEIRS}] * 2
    assert [c.target for c in slow.calls[1:]] == [THEIRS] * 2


async def test_what_a_task_asks_is_put_and_answered() -> None:
    stage = stage_of()
    asks = {"status": "input_required", "inputRequests": {"a": SURE}}
    slow, alice = Slow(stage, **asks), client(stage)
    id = await begun(alice)
    for _ in range(2):
        asked = await about(alice, "tasks/get", id)
        assert asked.result["inputRequests"] == {"a": SURE}
    told = await about(alice, "tasks/update", id, inputResponses={"a": YES})
    assert told.result["resultType"] == "complete"
    assert orjson.loads(slow.calls[-1].params) == {"taskId": THEIRS, "inputResponses": {"a": YES}}
    recorded = await rows(stage)
    assert [r.reason for r in recorded if r.call.endswith(".q1")] == ["policy.permitted", "ask.put"]
    update = next(r for r in recorded if r.header.get("method") == "tasks/update")
    assert orjson.loads(update.slots["args"])["inputResponses"] == {"a": YES}


@pytest.mark.parametrize("method", METHODS)
async def test_every_request_about_a_task_is_on_record(method: str) -> None:
    stage = stage_of()
    Slow(stage)
    alice = client(stage)
    await about(alice, method, await begun(alice))
    mine = [r for r in await rows(stage) if r.call == alice.last]
    assert [(r.kind, r.header["method"], r.header["target"]) for r in mine] == [
        ("call.intent", method, "get_patient"), ("call.outcome", method, "get_patient"),
    ]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
async def test_a_task_is_of_no_use_to_anybody_else_or_elsewhere(method: str) -> None:
    stage = stage_of()
    slow, alice = Slow(stage), client(stage)
    id = await begun(alice)
    forged = ("A" if id[0] != "A" else "B") + id[1:]
    for stolen in (
        await about(client(stage, who=BOB), method, id),
        await about(client(stage, "/mcp"), method, id),
        await about(alice, method, forged),
        await about(alice, method, "task-1"),
    ):
        assert (stolen.status, stolen.error["code"]) == (400, -32602)
        assert stolen.reason == "task.unknown"
    assert len(slow.calls) == 1
    assert [r.reason for r in await rows(stage) if r.kind == "call.refused"] == ["task.unknown"] * 4


@pytest.mark.parametrize("method", METHODS)
async def test_who_does_not_declare_tasks_is_told_what_is_missing(method: str) -> None:
    stage = stage_of()
    slow, alice = Slow(stage), client(stage)
    id = await begun(alice)
    said = await about(client(stage, can={"elicitation": {}}), method, id)
    assert (said.status, said.error["code"], said.reason) == (400, -32021, "task.not-declared")
    assert said.error["data"]["requiredCapabilities"] == TASKS
    assert len(slow.calls) == 1


async def test_a_handle_is_for_who_declares_tasks_only() -> None:
    stage = stage_of()
    Slow(stage)
    said = await client(stage, can={"elicitation": {}}).modern("tools/call", PATIENT)
    assert said.reason == "reply.unknown-type"
    old = client(stage)
    await old.open()
    assert (await old.legacy("tools/call", PATIENT)).reason == "reply.unknown-type"
    assert (await old.legacy("tasks/get", {"taskId": "x"})).reason == "wire.unknown-method"


@pytest.mark.parametrize("method", METHODS)
async def test_following_is_permitted_apart_from_calling(method: str) -> None:
    stage = stage_of(
        policy='permit(principal, action in [Action::"tools/call", Action::"list"], resource);'
    )
    slow, alice = Slow(stage), client(stage)
    said = await about(alice, method, await begun(alice))
    assert said.reason == "policy.no-rule"
    assert len(slow.calls) == 1


async def test_over_all_upstreams_what_a_task_brings_has_outer_names() -> None:
    stage = stage_of()
    Slow(stage, status="completed", result=DONE)
    alice = client(stage, "/mcp")
    id = await begun(alice, name="clinic__get_patient")
    done = await about(alice, "tasks/get", id)
    (link,) = done.result["result"]["content"]
    assert link["uri"] == "lockgate+clinic:file:///a"


async def test_an_answer_about_another_task_stays_here() -> None:
    stage = stage_of()
    slow, alice = Slow(stage), client(stage)
    id = await begun(alice)
    slow.status = {"taskId": "somebody's", "status": "completed", "result": DONE}
    assert (await about(alice, "tasks/get", id)).reason == "reply.shape"


async def test_a_task_of_a_tool_that_is_gone_is_refused() -> None:
    stage = stage_of()
    _, alice = Slow(stage), client(stage)
    id = await begun(alice)
    stage.simulated.tools.clear()
    await alice.modern("tools/list")
    assert (await about(alice, "tasks/get", id)).reason == "resolve.unknown-tool"


async def test_a_task_survives_a_reload_but_not_a_change_of_its_upstream() -> None:
    stage = stage_of()
    _, alice = Slow(stage), client(stage)
    id = await begun(alice)
    regate(stage)
    assert (await about(alice, "tasks/get", id)).result["taskId"] == id
    resolver = stage.gateway.state.resolver
    moved = msgspec.structs.replace(stage.upstream, fingerprint="elsewhere")
    resolver.upstreams["clinic"] = moved
    assert (await about(alice, "tasks/get", id)).reason == "task.unknown"


async def test_an_upstreams_error_about_a_task_is_passed_on() -> None:
    stage = stage_of()
    slow, alice = Slow(stage), client(stage)
    id = await begun(alice)

    class Expired(Slow):
        async def send(self, permit: Permit, hears: Hears) -> Reply:
            return Reply(permit.call, b'{"code":-32602,"message":"expired"}', is_error=True)

    Expired(stage)
    said = await about(alice, "tasks/get", id)
    assert (said.error["code"], said.error["message"]) == (-32602, "expired")
    assert len(slow.calls) == 1


@pytest.mark.parametrize("responses", [None, [], "yes"])
async def test_an_update_without_answers_is_refused(responses: Any) -> None:
    stage = stage_of()
    slow, alice = Slow(stage), client(stage)
    id = await begun(alice)
    said = await about(alice, "tasks/update", id, inputResponses=responses)
    assert (said.reason, said.error["code"]) == ("wire.bad-params", -32602)
    assert len(slow.calls) == 1


async def test_a_tool_that_cannot_do_without_says_what_is_missing() -> None:
    stage = stage_of()
    error = {"code": -32021, "message": "m", "data": {"requiredCapabilities": TASKS}}

    class Demands(Slow):
        async def send(self, permit: Permit, hears: Hears) -> Reply:
            if permit.call.method == "tools/list":
                return await super().send(permit, hears)
            return Reply(permit.call, orjson.dumps(error), is_error=True)

    Demands(stage)
    said = await client(stage, can={}).modern("tools/call", PATIENT)
    assert said.error == error
