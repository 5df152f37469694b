from collections.abc import Sequence
from typing import Any

import msgspec
import orjson
import pytest

from lockgate.model import Call, Envelope, Permit, Release, Reply, SendFailed
from lockgate.model.call import EraName
from lockgate.pipeline.asks import Silent
from lockgate.pipeline.rounds import MOST_ROUNDS, converse, input_of
from lockgate.pipeline.run import Refused
from lockgate.upstream.link import Hears
from lockgate.wire.capabilities import asks_of
from support.world import PERMIT_ALL, RESULT, Listening, World, shipped_order
from worlds import call

CAN = b'{"elicitation":{},"sampling":{},"roots":{}}'
FORM = {"message": "Sure?", "requestedSchema": {"type": "object", "properties": {}}}
SURE = {"method": "elicitation/create", "params": FORM}
YES = {"action": "accept", "content": {"ok": True}}
CALLS_ONLY = 'permit(principal, action == Action::"tools/call", resource);'


def asking(state: str | None = "s", **requests: Any) -> bytes:
    said: dict[str, Any] = {"resultType": "input_required"}
    if requests:
        said["inputRequests"] = requests
    return orjson.dumps(said | ({} if state is None else {"requestState": state}))


class Scripted(World):
    """An upstream that answers one thing after another; the last again and again."""

    def __init__(self, *results: bytes, policy: str = PERMIT_ALL) -> None:
        super().__init__(shipped_order(policy))
        self.results = list(results)
        self.sent: list[Call] = []

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        self.sent.append(permit.call)
        self.result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        return await super().send(permit, hears)


def from_a(era: EraName, can: bytes = CAN, **arguments: Any) -> Call:
    said = Envelope(era=era, capabilities=can, asks=asks_of(can), session="s-1")
    return msgspec.structs.replace(call(**arguments), envelope=said)


def reason(answer: Release | Refused) -> tuple[str, str]:
    assert isinstance(answer, Refused)
    return answer.reason, answer.where


def told(world: World, kind: str) -> Sequence[tuple[str, str]]:
    return [(e.call, e.reason) for e in world.events(kind)]


# A legacy client before a modern upstream: asked on its stream, the call goes on.


async def test_a_legacy_client_is_asked_and_the_call_goes_on_with_its_answers() -> None:
    world = Scripted(asking("st\u00e9", a=SURE, b=SURE), RESULT)
    client = Listening(orjson.dumps(YES))
    answer = await converse(from_a("legacy", n=1), world.gate(), client)
    assert isinstance(answer, Release)
    assert answer.said.raw == RESULT
    first, again = world.sent
    assert (first.id, again.id, again.part_of) == ("c-1", "c-1.r1", "c-1")
    assert again.params == first.params[:-1] + (
        b',"inputResponses":{"a":%b,"b":%b},"requestState":"st\xc3\xa9"}'
        % (orjson.dumps(YES), orjson.dumps(YES))
    )
    assert {ask.id for ask in client.asked} == {"c-1.q1", "c-1.q2"}
    assert {c for c, _ in told(world, "call.intent")} == {"c-1", "c-1.q1", "c-1.q2", "c-1.r1"}
    assert world.running == 0


async def test_answers_are_of_one_round_only() -> None:
    world = Scripted(asking("1", a=SURE), asking("2", b=SURE), RESULT)
    await converse(from_a("legacy"), world.gate(), Listening(orjson.dumps(YES)))
    last = orjson.loads(world.sent[-1].params)
    assert (last["inputResponses"], last["requestState"]) == ({"b": YES}, "2")


async def test_an_upstream_may_only_want_to_be_called_again() -> None:
    world = Scripted(asking("s"), RESULT)
    assert isinstance(await converse(from_a("legacy"), world.gate(), Silent()), Release)
    assert orjson.loads(world.sent[-1].params)["requestState"] == "s"


async def test_an_upstream_that_keeps_no_state_gets_none() -> None:
    world = Scripted(asking(None, a=SURE), RESULT)
    await converse(from_a("legacy"), world.gate(), Listening(orjson.dumps(YES)))
    assert "requestState" not in orjson.loads(world.sent[-1].params)


async def test_an_upstream_that_never_has_enough_is_stopped() -> None:
    world, client = Scripted(asking("s", a=SURE)), Listening(orjson.dumps(YES))
    answer = await converse(from_a("legacy"), world.gate(), client)
    assert reason(answer)[0] == "round.too-many"
    assert len(world.sent) == MOST_ROUNDS
    assert len({sent.id for sent in world.sent}) == MOST_ROUNDS


@pytest.mark.parametrize(
    ("policy", "can", "request_", "says", "where"),
    [
        (CALLS_ONLY, CAN, SURE, YES, "policy.no-rule"),
        (PERMIT_ALL, b"{}", SURE, YES, "ask.not-declared"),
        (PERMIT_ALL, CAN, {"method": "roots/list"}, {"roots": []}, "ask.other-era"),
        (PERMIT_ALL, CAN, SURE | {"params": {"message": 7}}, YES, "ask.shape"),
        (PERMIT_ALL, CAN, SURE, {"action": "perhaps"}, "reply.shape"),
    ],
)
async def test_a_question_that_may_not_be_asked_ends_the_call(
    policy: str, can: bytes, request_: Any, says: Any, where: str
) -> None:
    world = Scripted(asking("s", a=request_), RESULT, policy=policy)
    client = Listening(orjson.dumps(says))
    answer = await converse(from_a("legacy", can), world.gate(), client)
    assert reason(answer) == ("ask.refused", where)
    assert len(world.sent) == 1


async def test_a_client_that_answers_with_an_error_ends_the_call() -> None:
    class Errs(Listening):
        async def ask(self, permit: Permit) -> Reply:
            return Reply(permit.call, b'{"code":-1,"message":"no"}', is_error=True)

    world = Scripted(asking("s", a=SURE), RESULT)
    answer = await converse(from_a("legacy"), world.gate(), Errs())
    assert reason(answer) == ("ask.refused", "the client answered with an error")
    assert len(world.sent) == 1


async def test_a_client_that_says_nothing_ends_the_call() -> None:
    class Gone(Listening):
        async def ask(self, permit: Permit) -> Reply:
            raise SendFailed("ask.expired", "")

    world = Scripted(asking("s", a=SURE), RESULT)
    answer = await converse(from_a("legacy"), world.gate(), Gone())
    assert reason(answer) == ("ask.refused", "ask.expired")


# A modern client before a modern upstream: the questions are handed over.


async def test_a_modern_client_gets_the_questions_once_they_are_judged_and_recorded() -> None:
    raw = asking("s", a=SURE, b={"method": "roots/list"})
    world, client = Scripted(raw), Listening()
    answer = await converse(from_a("modern"), world.gate(), client)
    assert isinstance(answer, Release)
    assert answer.said.raw == raw
    asked = input_of(answer)
    assert asked is not None
    assert (set(asked.requests), asked.state) == ({"a", "b"}, b'"s"')
    assert client.asked == []
    assert told(world, "call.outcome") == [
        ("c-1", "inspection.clean"), ("c-1.q1", "ask.put"), ("c-1.q2", "ask.put"),
    ]  # fmt: skip
    assert {e.slots["args"] for e in world.events("call.intent") if e.call == "c-1.q1"} == {
        orjson.dumps(FORM)
    }
    assert world.running == 0


@pytest.mark.parametrize(
    ("policy", "can", "request_", "where"),
    [
        (CALLS_ONLY, CAN, SURE, "policy.no-rule"),
        (PERMIT_ALL, b"{}", SURE, "ask.not-declared"),
        (PERMIT_ALL, CAN, SURE | {"params": {}}, "ask.shape"),
    ],
)
async def test_what_may_not_be_asked_is_not_handed_over(
    policy: str, can: bytes, request_: Any, where: str
) -> None:
    world = Scripted(asking("s", a=SURE, b=request_), policy=policy)
    answer = await converse(from_a("modern", can), world.gate(), Listening())
    assert reason(answer) == ("ask.refused", where)


async def test_a_question_that_policy_would_change_is_not_handed_over_as_it_came() -> None:
    drops = CALLS_ONLY + (
        '@drop("/arguments/note") permit(principal, action in Action::"ask", resource);'
    )
    noted = SURE | {"params": FORM | {"arguments": {"note": "x"}}}
    world = Scripted(asking("s", a=noted), policy=drops)
    answer = await converse(from_a("modern"), world.gate(), Listening())
    assert reason(answer) == ("ask.refused", "obligation.cannot")
    assert told(world, "call.outcome")[-1] == ("c-1.q1", "obligation.cannot")
    plain = Scripted(asking("s", a=SURE), policy=drops)
    assert isinstance(await converse(from_a("modern"), plain.gate(), Listening()), Release)


async def test_a_refused_call_asks_nothing() -> None:
    world = Scripted(asking("s", a=SURE), policy="")
    assert reason(await converse(from_a("legacy"), world.gate(), Silent()))[0] == "policy.no-rule"
    assert world.sent == []


async def test_what_does_not_ask_is_the_end_of_the_call() -> None:
    world = Scripted(RESULT)
    answer = await converse(from_a("modern"), world.gate(), Silent())
    assert input_of(answer) is None
    assert input_of(Refused("policy.denied", "c-1")) is None
    assert len(world.sent) == 1
