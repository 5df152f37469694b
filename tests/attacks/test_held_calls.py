"""Calls that wait for a person, and clients that would rather not wait."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from lockgate.app.pending import MOST_EACH
from support.asking import again, keys, legacy_client, modern_client
from support.holding import (
    ASK,
    PAGES,
    PATIENT,
    TASKS,
    Json,
    execute,
    held,
    held_stage,
    pending,
    question,
    said,
    steps,
)
from support.scenario import Stage
from support.staged import BOB, Said, Speaker

ACCEPT = {ASK: {"action": "accept"}}
APPROVE = {"action": "accept", "content": {"approve": True, "approved": "yes", "voter": "os:dora"}}


async def asked(stage: Stage, can: Json = PAGES) -> tuple[Speaker, Said]:
    alice = modern_client(stage, can)
    found = await alice.modern("tools/call", PATIENT)
    assert keys(found) == [ASK]
    return alice, found


def unmoved(stage: Stage) -> None:
    """Nobody has said anything, and nothing ran."""
    assert stage.simulated.calls == []
    assert [one.votes for one in stage.inquiries.listed()] == [()]
    assert question(stage).state == "pending"


@pytest.mark.parametrize("can", [PAGES, {"elicitation": {"form": {}, "url": {}}}])
async def test_a_clients_own_yes_is_worth_nothing(can: Json) -> None:
    stage = held_stage(on_retry=True)
    pending(stage).hold_seconds = 0.01
    alice, found = await asked(stage, can)
    for number in range(2, 9):
        found = await alice.modern("tools/call", again(found, {ASK: APPROVE}), id=number)
        if found.result["resultType"] == "complete":
            break
    assert found.result["_meta"][ASK]["state"] == "pending"
    unmoved(stage)


async def test_a_legacy_clients_own_yes_is_worth_nothing() -> None:
    stage = held_stage(on_retry=True)
    pending(stage).hold_seconds = 0.05
    alice = await legacy_client(stage, PAGES)
    calling = asyncio.ensure_future(alice.legacy("tools/call", PATIENT, id=5))
    await alice.answer((await alice.question())["id"], APPROVE)
    assert (await calling).result["_meta"][ASK]["state"] == "pending"
    unmoved(stage)


async def test_a_tasks_own_yes_is_worth_nothing() -> None:
    stage = held_stage()
    alice = modern_client(stage, TASKS)
    id = (await alice.modern("tools/call", PATIENT)).result["taskId"]
    yes = {"taskId": id, "inputResponses": {ASK: APPROVE}}
    await alice.modern("tasks/update", yes, id=2, mcp_name=id)
    unmoved(stage)


async def test_an_answer_without_the_state_is_another_call() -> None:
    stage = held_stage()
    alice, _ = await asked(stage)
    forged = {**PATIENT, "inputResponses": {ASK: APPROVE}}
    found = await alice.modern("tools/call", forged, id=2)
    assert keys(found) == [ASK]
    assert stage.simulated.calls == []


def tampered(params: Json) -> Json:
    state = params["requestState"]
    return params | {"requestState": state[:-6] + ("A" if state[-6] != "A" else "B") + state[-5:]}


@pytest.mark.parametrize(
    "change",
    [
        tampered,
        lambda params: params | {"requestState": question_id(params)},
        lambda params: params | {"arguments": {"patient_id": "p-2"}},
        lambda params: params | {"arguments": {"patient_id": "p-1", "all": True}},
        lambda params: params | {"arguments": {}},
    ],
    ids=["tampered", "made-up", "another-patient", "more", "nothing"],
)
@pytest.mark.parametrize("approved", [False, True])
async def test_a_state_is_good_for_exactly_its_call(
    change: Callable[[Json], Json], approved: bool
) -> None:
    stage = held_stage(on_retry=True)
    alice, found = await asked(stage)
    if approved:
        said(stage)
    refused = await alice.modern("tools/call", change(again(found, ACCEPT)), id=2)
    assert (refused.status, refused.reason) == (400, "round.invalid")
    assert stage.simulated.calls == []


def question_id(_: Json) -> str:
    return "q-1"


async def test_a_state_is_of_no_use_to_anybody_else_or_elsewhere() -> None:
    stage = held_stage(on_retry=True)
    _, found = await asked(stage)
    said(stage)
    bob = modern_client(stage, PAGES, BOB)
    decline = again(found, {ASK: {"action": "decline"}})
    for params in (again(found, ACCEPT), decline):
        assert (await bob.modern("tools/call", params)).reason == "round.invalid"
    elsewhere = Speaker(stage, "/mcp", capabilities=PAGES)
    moved = again(found, ACCEPT, name="clinic__get_patient")
    assert (await elsewhere.modern("tools/call", moved)).reason == "round.invalid"
    assert question(stage).state == "approved", "nobody else takes it back"
    assert stage.simulated.calls == []


async def test_a_state_that_is_played_again_runs_nothing_again() -> None:
    stage = held_stage(on_retry=True)
    alice, found = await asked(stage)
    said(stage)
    for number in range(2, 6):
        done = await alice.modern("tools/call", again(found, ACCEPT), id=number)
        assert done.result["content"] == [{"type": "text", "text": "done"}]
    assert len(stage.simulated.calls) == 1


async def test_a_state_outlives_no_change_of_the_tool() -> None:
    stage = held_stage(on_retry=True)
    alice, found = await asked(stage)
    said(stage)
    stage.simulated.tools[0]["description"] = "deletes the patient"
    await alice.modern("tools/list")
    anew = await alice.modern("tools/call", again(found, ACCEPT), id=2)
    assert anew.result["inputRequests"][ASK]["params"]["url"].endswith("/q-2")
    assert stage.simulated.calls == []


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
async def test_a_task_is_of_no_use_to_anybody_else(method: str) -> None:
    stage = held_stage()
    alice = modern_client(stage, TASKS)
    id = (await alice.modern("tools/call", PATIENT)).result["taskId"]
    said(stage)
    await execute(stage)
    bob = modern_client(stage, TASKS, BOB)
    more: Json = {"inputResponses": {}} if method == "tasks/update" else {}
    for wrong in (id, id[:-6] + "AAAAAA", "q-1"):
        found = await bob.modern(method, {"taskId": wrong, **more}, mcp_name=wrong)
        assert found.reason == "task.unknown"


async def test_another_session_does_not_answer_for_who_was_asked() -> None:
    stage = held_stage()
    alice = await legacy_client(stage, PAGES)
    calling = asyncio.ensure_future(alice.legacy("tools/call", PATIENT, id=5))
    put = await alice.question()
    for who in (BOB, None):
        other = await legacy_client(stage, PAGES, who)
        await other.answer(put["id"], {"action": "decline"})
    assert question(stage).state == "pending"
    calling.cancel()
    await asyncio.wait([calling])


async def test_hundreds_that_want_to_wait_are_answered() -> None:
    stage = held_stage(limits=(60_000, 10_000, 1_000))
    alice, found = await asked(stage)

    async def come(number: int) -> Any:
        return await alice.modern("tools/call", again(found, ACCEPT), id=number)

    comings = [asyncio.ensure_future(come(number)) for number in range(300)]
    done: set[Any] = set()
    while len(done) < 300 - MOST_EACH:
        done, _ = await asyncio.wait(comings, return_when=asyncio.FIRST_COMPLETED)
    await held(stage, MOST_EACH)
    assert all(one.result().result["_meta"][ASK]["state"] == "pending" for one in done)
    for waiting in comings:
        waiting.cancel()
    await asyncio.wait(comings)
    assert (pending(stage).held, pending(stage).vigil.waiting) == (0, 0)
    assert (await steps(stage)).count("requested") == 1, "people are asked once"
    unmoved(stage)


async def test_the_page_and_the_handle_tell_nothing() -> None:
    stage = held_stage()
    alice, found = await asked(stage)
    plain = await modern_client(stage, {}).modern("tools/call", PATIENT)
    for said_ in (found.result["inputRequests"], plain.result["_meta"][ASK]):
        told = orjson.dumps(said_)
        for private in (b"p-1", b"alice", b"owner", b"dora"):
            assert private not in told
    assert alice.heard == []
