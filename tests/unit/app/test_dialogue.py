"""What upstreams ask, from the gateway's front to its journal: no HTTP, all the rest."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pytest

from lockgate.app.dialogue import LIFE_MS
from lockgate.app.parking import MOST_EACH
from lockgate.app.stamps import now_ms
from lockgate.model import JournalDown, Permit, Reply
from lockgate.pipeline.sessions import Rounds, RoundState
from lockgate.store.sealing import AesGcmSealer
from lockgate.upstream.link import Hears, LinkReply
from support.asking import (
    DONE,
    ELICITS,
    EVERYTHING,
    FORM,
    NO_ASKING,
    PATIENT,
    SURE,
    YES,
    Json,
    Legacy,
    Modern,
    again,
    asking,
    keys,
    legacy_client,
    modern_client,
    reasons,
)
from support.scenario import Stage
from support.staged import BOB, Said, Speaker, regate, rows, stage_of

# A legacy client before a legacy upstream.


async def test_a_question_and_its_answer_pass_from_end_to_end() -> None:
    stage = stage_of()
    server, alice = Legacy(stage), await legacy_client(stage)
    calling = asyncio.ensure_future(alice.legacy("tools/call", PATIENT))
    asked = await alice.question()
    assert (asked["method"], asked["params"]) == ("elicitation/create", FORM)
    intents = [r for r in await rows(stage) if r.kind == "call.intent"]
    assert intents[-1].header["method"] == "elicitation/create", "on record before it is seen"
    assert (await alice.answer(asked["id"], YES)).status == 202
    assert (await calling).result == DONE
    assert server.said == [LinkReply(orjson.dumps(YES))]
    assert await reasons(stage, "call.outcome", ".q1") == ["inspection.clean"]


async def test_by_default_policy_lets_nobody_be_asked() -> None:
    stage = stage_of(policy=NO_ASKING)
    server, alice = Legacy(stage), await legacy_client(stage)
    assert (await alice.legacy("tools/call", PATIENT)).result == DONE
    assert server.told == ["policy.no-rule"]
    assert alice.heard == []
    assert await reasons(stage, "call.intent", ".q1") == ["policy.no-rule"]


@pytest.mark.parametrize("can", [{}, {"sampling": {}}])
async def test_who_declared_nothing_of_the_kind_is_not_asked(can: Json) -> None:
    stage = stage_of()
    server, alice = Legacy(stage), await legacy_client(stage, can)
    assert (await alice.legacy("tools/call", PATIENT)).result == DONE
    assert server.told == ["ask.not-declared"]
    assert alice.heard == []


async def test_upstreams_are_told_the_clients_own_capabilities() -> None:
    stage = stage_of()
    server = Legacy(stage, ("roots/list", {}))
    alice = await legacy_client(stage, {"roots": {"listChanged": True}, "experimental": {"x": 1}})
    calling = asyncio.ensure_future(alice.legacy("tools/call", PATIENT))
    asked = await alice.question()
    await alice.answer(asked["id"], {"roots": []})
    await calling
    said = server.calls[0].envelope
    assert orjson.loads(said.asks) == {"roots": {"listChanged": True}}
    assert server.calls[0].terms.session == said.session != ""


@pytest.mark.parametrize("who", ["another person", "another session", "no session"])
async def test_only_the_session_that_was_asked_answers(who: str) -> None:
    stage = stage_of()
    server, alice = Legacy(stage), await legacy_client(stage)
    calling = asyncio.ensure_future(alice.legacy("tools/call", PATIENT))
    asked = await alice.question()
    other = Speaker(stage, who=BOB if who == "another person" else None, capabilities=ELICITS)
    if who != "no session":
        await other.open()
    said = await other.answer(asked["id"], YES | {"forged": True})
    assert said.status == (400 if who == "no session" else 202)
    assert not calling.done()
    assert server.said == []
    await alice.answer(asked["id"], YES)
    await calling
    assert server.said == [LinkReply(orjson.dumps(YES))]


async def test_answers_to_nothing_and_late_ones_are_taken_without_a_word() -> None:
    stage = stage_of()
    server, alice = Legacy(stage), await legacy_client(stage)
    assert (await alice.answer("lg..made-up", YES)).status == 202
    assert (await alice.answer(7, YES)).status == 202
    calling = asyncio.ensure_future(alice.legacy("tools/call", PATIENT))
    asked = await alice.question()
    await alice.answer(asked["id"], YES)
    late = await alice.answer(asked["id"], {"action": "decline"})
    assert (late.status, late.answer.body) == (202, b"")
    await calling
    assert server.told == ["accept"]


async def test_an_answer_of_another_shape_stays_here() -> None:
    stage = stage_of()
    server, alice = Legacy(stage), await legacy_client(stage)
    calling = asyncio.ensure_future(alice.legacy("tools/call", PATIENT))
    await alice.answer((await alice.question())["id"], {"action": "perhaps"})
    await calling
    assert server.told == ["reply.shape"]


async def test_a_cancelled_call_takes_its_question_back() -> None:
    stage = stage_of()
    server, alice = Legacy(stage), await legacy_client(stage)
    calling = asyncio.ensure_future(alice.legacy("tools/call", PATIENT, id=5))
    asked = await alice.question()
    await alice.notify("notifications/cancelled", {"requestId": 5})
    with pytest.raises(asyncio.CancelledError):
        await calling
    await server.ended.wait()
    assert alice.heard[-1]["params"] == {"requestId": asked["id"]}
    assert (await reasons(stage, "call.outcome")).count("call.cancelled") == 2


async def test_sampling_does_not_cross_eras() -> None:
    stage = stage_of()
    server = Legacy(stage, ("sampling/createMessage", {"messages": []}), ("roots/list", {}))
    alice = modern_client(stage, EVERYTHING)
    said = await alice.modern("tools/call", PATIENT)
    assert said.result["content"] == DONE["content"]
    assert server.told == ["ask.other-era", "ask.other-era"]
    assert "eras" in orjson.loads(server.said[0].raw)["message"]


# A modern client before a legacy upstream: the call is parked.


async def parked(stage: Stage, **request: Any) -> tuple[Legacy, Speaker, Said]:
    server, alice = Legacy(stage, **request), modern_client(stage)
    return server, alice, await alice.modern("tools/call", PATIENT)


async def test_a_modern_client_gets_the_question_and_comes_again() -> None:
    stage = stage_of()
    server, alice, asked = await parked(stage)
    assert asked.result["inputRequests"] == {"q1": SURE}
    assert stage.gateway.dialogue.parking.parked == 1
    said = await alice.modern("tools/call", again(asked, {"q1": YES}), id=2)
    assert said.result["resultType"] == "complete"
    assert said.result["content"] == DONE["content"]
    assert server.said == [LinkReply(orjson.dumps(YES))]
    assert len(server.calls) == 1, "the upstream was called once"
    assert stage.gateway.dialogue.parking.parked == 0
    assert await reasons(stage, "call.outcome", ".q1") == ["inspection.clean"]


async def test_answers_are_used_once() -> None:
    stage = stage_of()
    server, alice, asked = await parked(stage)
    await alice.modern("tools/call", again(asked, {"q1": YES}), id=2)
    second = await alice.modern("tools/call", again(asked, {"q1": YES}), id=3)
    assert (second.status, second.error["code"], second.reason) == (400, -32602, "round.gone")
    assert server.said == [LinkReply(orjson.dumps(YES))]
    assert "round.gone" in await reasons(stage, "call.refused")


async def test_partial_answers_are_asked_for_again_and_more_than_asked_is_ignored() -> None:
    stage = stage_of()
    server = Legacy(stage, ("elicitation/create", FORM), ("elicitation/create", FORM))
    alice = modern_client(stage)
    asked = await alice.modern("tools/call", PATIENT)
    assert keys(asked) == ["q1", "q2"]
    rest = await alice.modern("tools/call", again(asked, {"q2": YES, "q7": YES, "x": 1}), id=2)
    assert keys(rest) == ["q1"]
    assert rest.result["requestState"] != asked.result["requestState"]
    none = await alice.modern("tools/call", again(rest), id=3)
    assert keys(none) == ["q1"]
    last = await alice.modern("tools/call", again(none, {"q1": {"action": "decline"}}), id=4)
    assert last.result["content"] == DONE["content"]
    assert server.told == ["decline", "accept"]


Change = Callable[[Json], Json]


def tampered(params: Json) -> Json:
    state = params["requestState"]
    return params | {"requestState": state[:-6] + ("A" if state[-6] != "A" else "B") + state[-5:]}


@pytest.mark.parametrize(
    "change",
    [
        tampered,
        lambda params: params | {"requestState": "e30"},
        lambda params: params | {"requestState": ""},
        lambda params: params | {"arguments": {"patient_id": "p-2"}},
        lambda params: params | {"arguments": {}},
    ],
    ids=["tampered", "made-up", "empty", "other-arguments", "no-arguments"],
)
async def test_a_state_is_good_for_exactly_its_call(change: Change) -> None:
    stage = stage_of()
    server, alice, asked = await parked(stage)
    said = await alice.modern("tools/call", change(again(asked, {"q1": YES})), id=2)
    assert (said.status, said.error["code"], said.reason) == (400, -32602, "round.invalid")
    assert server.said == []
    assert stage.gateway.dialogue.parking.parked == 1
    honest = await alice.modern("tools/call", again(asked, {"q1": YES}), id=3)
    assert honest.result["content"] == DONE["content"]


async def test_a_state_is_good_for_its_tool_and_method_only() -> None:
    stage = stage_of(tools={"get_patient": {"type": "object"}, "other": {"type": "object"}})
    _, alice, asked = await parked(stage)
    other = again(asked, {"q1": YES}, name="other")
    assert (await alice.modern("tools/call", other, id=2)).reason == "round.invalid"
    assert (await alice.modern("prompts/get", again(asked), id=3)).reason == "round.invalid"


async def test_a_state_is_of_no_use_to_anybody_else_or_elsewhere() -> None:
    stage = stage_of()
    server, _, asked = await parked(stage)
    bob = modern_client(stage, who=BOB)
    stolen = await bob.modern("tools/call", again(asked, {"q1": YES}))
    assert (stolen.status, stolen.reason) == (400, "round.invalid")
    elsewhere = Speaker(stage, "/mcp", capabilities=ELICITS)
    moved = again(asked, {"q1": YES}, name="clinic__get_patient")
    assert (await elsewhere.modern("tools/call", moved)).reason == "round.invalid"
    assert server.said == []


async def test_a_state_expires() -> None:
    stage = stage_of()
    server = Modern(stage, asking(a=SURE))
    alice = modern_client(stage)
    asked = await alice.modern("tools/call", PATIENT)
    rounds = Rounds(AesGcmSealer(b"s" * 32))
    opened = rounds.open(
        asked.result["requestState"], alice.principal, alice.path, _about(asked), now_ms()
    )
    assert now_ms() < opened.expires <= now_ms() + LIFE_MS
    old = RoundState(opened.principal, opened.endpoint, opened.about, now_ms() - 1, opened.upstream)
    late = again(asked, {"a": YES}) | {"requestState": rounds.seal(old)}
    assert (await alice.modern("tools/call", late, id=2)).reason == "round.invalid"
    assert len(server.calls) == 1


def _about(asked: Said) -> str:
    """The call digest that a state carries, as only this deployment can read it."""
    value = AesGcmSealer(b"s" * 32).open("round", asked.result["requestState"])
    assert value is not None
    return msgspec.msgpack.decode(value, type=RoundState).about


async def test_who_hangs_up_ends_the_call() -> None:
    stage = stage_of()
    server, alice, asked = await parked(stage)
    server.ended.clear()
    coming = asyncio.ensure_future(alice.modern("tools/call", again(asked), id=2))
    said = await coming
    assert keys(said) == ["q1"]
    stage.gateway.dialogue.parking.end_all()
    await server.ended.wait()
    assert (await alice.modern("tools/call", again(said), id=3)).reason == "round.gone"
    assert await reasons(stage, "call.outcome", ".q1") == ["call.cancelled"]


async def test_a_client_that_leaves_while_the_upstream_works_ends_the_call() -> None:
    stage = stage_of()
    reached, finish = asyncio.Event(), asyncio.Event()

    class Slow(Legacy):
        async def send(self, permit: Permit, hears: Hears) -> Reply:
            if permit.call.method != "tools/list":
                reached.set()
                try:
                    await finish.wait()
                finally:
                    self.ended.set()
            return await super().send(permit, hears)

    server, alice = Slow(stage), modern_client(stage)
    calling = asyncio.ensure_future(alice.modern("tools/call", PATIENT))
    await reached.wait()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    await asyncio.wait_for(server.ended.wait(), 5)
    assert (await reasons(stage, "call.outcome"))[-1] == "call.cancelled"


async def test_one_person_parks_so_many_calls_and_no_more() -> None:
    stage = stage_of(limits=(6_000, 1_000, 1_000))
    Legacy(stage)
    alice = modern_client(stage)
    for number in range(MOST_EACH):
        assert keys(await alice.modern("tools/call", PATIENT, id=number))
    assert (await alice.modern("tools/call", PATIENT, id="x")).reason == "ask.too-many"
    assert stage.gateway.dialogue.parking.parked == MOST_EACH
    bob = modern_client(stage, who=BOB)
    assert keys(await bob.modern("tools/call", PATIENT))
    stage.gateway.dialogue.parking.end_all()


async def test_calls_on_both_names_of_one_tool_wait_for_themselves() -> None:
    stage = stage_of()
    server = Legacy(stage)
    alice = Speaker(stage, "/mcp", capabilities=ELICITS)
    outer = {**PATIENT, "name": "clinic__get_patient"}
    asked = await alice.modern("tools/call", outer)
    said = await alice.modern("tools/call", again(asked, {"q1": YES}, **outer), id=2)
    assert said.result["content"] == DONE["content"]
    assert server.told == ["accept"]


# Whatever happens, the record is whole.


async def test_nothing_is_asked_that_cannot_be_recorded() -> None:
    stage = stage_of()
    server, alice = Legacy(stage), await legacy_client(stage)
    journal = stage.gateway.state.gate.journal

    class Fails:
        healthy = True
        note = journal.note

        async def commit(self, event: Any) -> None:
            if event.header["method"] == "elicitation/create":
                raise JournalDown("disk full")
            await journal.commit(event)

    regate(stage, journal=Fails())
    said = await alice.legacy("tools/call", PATIENT)
    assert said.reason == "journal.unavailable"
    assert alice.heard == []
    assert server.said == []
