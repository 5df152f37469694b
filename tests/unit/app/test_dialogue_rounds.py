"""Upstreams of the present era answer with questions: relayed to modern clients, put to legacy
ones."""

import asyncio

import orjson
import pytest

from lockgate.pipeline.rounds import MOST_ROUNDS
from support.asking import (
    DONE,
    ELICITS,
    FORM,
    NO_ASKING,
    PATIENT,
    STATE,
    SURE,
    YES,
    Json,
    Modern,
    again,
    asking,
    keys,
    legacy_client,
    modern_client,
    reasons,
)
from support.staged import BOB, rows, stage_of

# A modern client before a modern upstream: relayed, the upstream's state sealed in ours.


async def test_the_upstreams_state_comes_back_to_it_byte_for_byte_and_nobody_reads_it() -> None:
    stage = stage_of()
    server = Modern(stage, asking(a=SURE), DONE)
    alice = modern_client(stage)
    asked = await alice.modern("tools/call", PATIENT)
    assert asked.result["inputRequests"] == {"a": SURE}
    assert "their own" not in asked.answer.body.decode()
    said = await alice.modern("tools/call", again(asked, {"a": YES, "extra": {}}), id=2)
    assert said.result["content"] == DONE["content"]
    assert server.got()["requestState"] == STATE
    assert server.got()["inputResponses"] == {"a": YES, "extra": {}}
    assert server.got()["arguments"] == PATIENT["arguments"]
    assert await reasons(stage, "call.outcome", ".q1") == ["ask.put"]


async def test_no_state_is_made_up_for_an_upstream_that_gave_none() -> None:
    stage = stage_of()
    server = Modern(stage, asking(None, a=SURE), DONE)
    alice = modern_client(stage)
    asked = await alice.modern("tools/call", PATIENT)
    assert "requestState" not in asked.result
    await alice.modern("tools/call", {**PATIENT, "inputResponses": {"a": YES}}, id=2)
    assert "requestState" not in server.got()
    assert server.got()["inputResponses"] == {"a": YES}


async def test_every_round_is_judged_and_recorded() -> None:
    stage = stage_of()
    server = Modern(stage, asking("1", a=SURE), asking("2", b=SURE), DONE)
    alice = modern_client(stage)
    first = await alice.modern("tools/call", PATIENT)
    second = await alice.modern("tools/call", again(first, {"a": YES}), id=2)
    assert keys(second) == ["b"]
    await alice.modern("tools/call", again(second, {"b": YES}), id=3)
    assert [server.got(n).get("requestState") for n in range(3)] == [None, "1", "2"]
    intents = [r for r in await rows(stage) if r.kind == "call.intent"]
    called = [r for r in intents if r.header["method"] == "tools/call"]
    assert len({r.header["digest"] for r in called}) == 3
    assert orjson.loads(called[1].slots["args"])["inputResponses"] == {"a": YES}


@pytest.mark.parametrize(
    ("policy", "can", "request_", "where"),
    [
        (NO_ASKING, ELICITS, SURE, "policy.no-rule"),
        ("permit(principal, action, resource);", {}, SURE, "ask.not-declared"),
        ("permit(principal, action, resource);", ELICITS, {"method": "roots/list"},
         "ask.not-declared"),
    ],
)  # fmt: skip
async def test_what_may_not_be_asked_ends_the_call_and_says_why(
    policy: str, can: Json, request_: Json, where: str
) -> None:
    stage = stage_of(policy=policy)
    Modern(stage, asking(a=request_))
    said = await modern_client(stage, can).modern("tools/call", PATIENT)
    assert said.reason == "ask.refused"
    assert where in said.result["content"][0]["text"]


async def test_a_relayed_state_is_of_no_use_to_anybody_else() -> None:
    stage = stage_of()
    server = Modern(stage, asking(a=SURE), DONE)
    asked = await modern_client(stage).modern("tools/call", PATIENT)
    bob = modern_client(stage, who=BOB)
    assert (await bob.modern("tools/call", again(asked, {"a": YES}))).reason == "round.invalid"
    assert len(server.calls) == 1


# A legacy client before a modern upstream: asked on its stream, called again from here.


async def test_a_legacy_client_is_asked_what_a_modern_upstream_wants_to_know() -> None:
    stage = stage_of()
    server = Modern(stage, asking(a=SURE), DONE)
    alice = await legacy_client(stage)
    calling = asyncio.ensure_future(alice.legacy("tools/call", PATIENT))
    asked = await alice.question()
    assert (asked["method"], asked["params"]) == ("elicitation/create", FORM)
    await alice.answer(asked["id"], YES)
    assert (await calling).result == DONE
    assert server.got()["requestState"] == STATE
    assert server.got()["inputResponses"] == {"a": YES}


async def test_a_modern_upstream_that_never_has_enough_is_stopped() -> None:
    stage = stage_of()
    server = Modern(stage, asking(a=SURE))
    alice = await legacy_client(stage)
    calling = asyncio.ensure_future(alice.legacy("tools/call", PATIENT))
    for _ in range(MOST_ROUNDS):
        await alice.answer((await alice.question())["id"], YES)
    assert (await calling).reason == "round.too-many"
    assert len(server.calls) == MOST_ROUNDS


async def test_a_legacy_client_that_answers_no_ends_the_call() -> None:
    stage = stage_of()
    server = Modern(stage, asking(a=SURE), DONE)
    alice = await legacy_client(stage)
    calling = asyncio.ensure_future(alice.legacy("tools/call", PATIENT))
    asked = await alice.question()
    error = {"code": -1, "message": "rejected"}
    body = {"jsonrpc": "2.0", "id": asked["id"], "error": error}
    await alice.post(orjson.dumps(body), {"mcp-session-id": alice.session})
    assert (await calling).reason == "ask.refused"
    assert len(server.calls) == 1
