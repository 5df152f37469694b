from typing import Any

import msgspec
import orjson
import pytest

from lockgate.model import Call, Envelope, JournalDown, Permit, Release, Reply
from lockgate.pipeline.run import SILENT, Refused
from lockgate.pipeline.tasks import Handed, follow
from lockgate.policy.mapping import ArgumentMapping
from lockgate.upstream.link import Hears
from lockgate.wire.capabilities import asks_of
from support.world import PERMIT_ALL, World, shipped_order
from worlds import ALICE, BOB, CLINIC, tool

CAN = b'{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}'
FORM = {"message": "Sure?", "requestedSchema": {"type": "object", "properties": {}}}
SURE = {"method": "elicitation/create", "params": FORM}
NO_ASKING = 'permit(principal, action in Action::"task", resource);'
NEEDY = {"patient_id": {"type": "string"}}
SCHEMA = {"type": "object", "properties": NEEDY, "required": ["patient_id"]}


def asked(method: str = "tasks/get", task: str = "t-1", **changes: Any) -> Call:
    envelope = Envelope(capabilities=CAN, asks=asks_of(CAN))
    params = orjson.dumps({"taskId": task})
    whole = Call("c-9", ALICE, method, CLINIC, task, params, tool(schema=SCHEMA), envelope)
    return msgspec.structs.replace(whole, **changes)


class Running(World):
    """An upstream whose task wants to know what ``requests`` say."""

    def __init__(self, policy: str = PERMIT_ALL, **requests: Any) -> None:
        super().__init__(shipped_order(policy))
        self.says(**requests)

    def says(self, **requests: Any) -> None:
        status = "input_required" if requests else "working"
        task = {"taskId": "t-1", "status": status}
        self.result = orjson.dumps(task | ({"inputRequests": requests} if requests else {}))

    def put(self) -> list[str]:
        """Call ids of the questions that were handed over."""
        return [e.call for e in self.events("call.outcome") if e.reason == "ask.put"]


def reason(answer: Release | Refused) -> tuple[str, str]:
    assert isinstance(answer, Refused)
    return answer.reason, answer.where


async def test_a_poll_is_a_call_like_any_other() -> None:
    world = Running()
    answer = await follow(asked(), world.gate(), SILENT, Handed())
    assert isinstance(answer, Release)
    assert answer.said.raw == world.result
    (intent,) = world.events("call.intent")
    assert (intent.header["method"], intent.header["target"]) == ("tasks/get", "get_patient")
    assert intent.slots["args"] == b'{"taskId":"t-1"}'
    (outcome,) = world.events("call.outcome")
    assert outcome.slots["result"] == world.result
    assert world.running == 0


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
async def test_by_default_nobody_follows_a_task(method: str) -> None:
    calls = 'permit(principal, action == Action::"tools/call", resource);'
    world = Running(calls)
    assert (
        reason(await follow(asked(method), world.gate(), SILENT, Handed()))[0] == "policy.no-rule"
    )
    assert "send" not in world.steps


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
async def test_a_permit_that_reads_arguments_permits_none_of_them(method: str) -> None:
    from_args = (
        "permit(principal, action, resource)"
        ' when { context.arguments has patient_id && context.arguments.patient_id == "p" };'
    )
    world = Running()
    mapping = ArgumentMapping({("clinic", "get_patient"): {"patient_id": "string"}})
    world.order = shipped_order(from_args, mapping=mapping)
    told = asked(method, params=b'{"taskId":"t-1","arguments":{"patient_id":"p"}}')
    assert reason(await follow(told, world.gate(), SILENT, Handed()))[0] == "policy.no-rule"


async def test_a_question_is_on_record_once_however_often_it_is_polled() -> None:
    world, handed = Running(a=SURE), Handed()
    for _ in range(3):
        assert isinstance(await follow(asked(), world.gate(), SILENT, handed), Release)
    assert world.put() == ["c-9.q1"]
    assert len(world.events("call.intent")) == 4
    world.says(a=SURE, b=SURE)
    await follow(asked(), world.gate(), SILENT, handed)
    assert world.put() == ["c-9.q1", "c-9.q1"], "the new one only"


@pytest.mark.parametrize(
    "changes",
    [
        {"principal": BOB},
        {"task": "t-2"},
        {"envelope": Envelope(asks=b'{"elicitation":{"form":{},"url":{}}}')},
    ],
    ids=["principal", "task", "capabilities"],
)
async def test_what_was_permitted_to_one_is_judged_anew_for_another(
    changes: dict[str, Any],
) -> None:
    world, handed = Running(a=SURE), Handed()
    await follow(asked(), world.gate(), SILENT, handed)
    world.result = world.result.replace(b"t-1", changes.get("task", "t-1").encode())
    assert isinstance(await follow(asked(**changes), world.gate(), SILENT, handed), Release)
    assert len(world.put()) == 2


async def test_another_question_under_the_same_key_is_judged_anew() -> None:
    world, handed = Running(a=SURE), Handed()
    await follow(asked(), world.gate(), SILENT, handed)
    world.says(a=SURE | {"params": FORM | {"message": "Your password?"}})
    await follow(asked(), world.gate(), SILENT, handed)
    assert len(world.put()) == 2


async def test_a_new_policy_judges_anew() -> None:
    world, handed = Running(a=SURE), Handed()
    await follow(asked(), world.gate(), SILENT, handed)
    world.order = shipped_order(NO_ASKING)
    answer = await follow(asked(), world.gate(), SILENT, handed)
    assert reason(answer) == ("ask.refused", "policy.no-rule")


@pytest.mark.parametrize(
    ("policy", "can", "request_", "where"),
    [
        (NO_ASKING, CAN, SURE, "policy.no-rule"),
        (PERMIT_ALL, b"{}", SURE, "ask.not-declared"),
        (PERMIT_ALL, CAN, SURE | {"params": {}}, "ask.shape"),
    ],
)
async def test_what_may_not_be_asked_is_not_handed_over(
    policy: str, can: bytes, request_: Any, where: str
) -> None:
    world, handed = Running(policy, a=request_), Handed()
    call = asked(envelope=Envelope(capabilities=can, asks=asks_of(can)))
    for _ in range(2):
        answer = await follow(call, world.gate(), SILENT, handed)
        assert reason(answer) == ("ask.refused", where)
    assert world.put() == []


async def test_nothing_is_handed_over_that_cannot_be_recorded() -> None:
    class Fails(Running):
        async def commit(self, event: Any) -> None:
            if event.call.endswith(".q1"):
                raise JournalDown("disk full")
            await super().commit(event)

    handed = Handed()
    with pytest.raises(JournalDown):
        await follow(asked(), Fails(a=SURE).gate(), SILENT, handed)
    world = Running(a=SURE)
    await follow(asked(), world.gate(), SILENT, handed)
    assert world.put() == ["c-9.q1"], "it was not taken for handed over"


async def test_an_error_and_an_answer_to_another_method_ask_nothing() -> None:
    class Errs(World):
        async def send(self, permit: Permit, hears: Hears) -> Reply:
            return Reply(permit.call, b'{"code":-32602,"message":"Unknown task"}', is_error=True)

    assert isinstance(await follow(asked(), Errs().gate(), SILENT, Handed()), Release)
    world = Running()
    world.result = b'{"resultType":"complete","inputRequests":7}'
    assert isinstance(await follow(asked("tasks/cancel"), world.gate(), SILENT, Handed()), Release)


def test_the_oldest_questions_are_forgotten() -> None:
    handed = Handed(most=2)
    for mark in (b"1", b"2", b"3"):
        handed.add(mark)
    assert [mark in handed for mark in (b"1", b"2", b"3")] == [False, True, True]
