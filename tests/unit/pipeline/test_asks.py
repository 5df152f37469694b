from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import orjson
import pytest

from lockgate.model import REASONS, Call, Envelope, JournalDown, Permit, Release, Reply
from lockgate.model.call import EraName
from lockgate.pipeline.asks import MOST_ASKS, Silent, ask_of, refused_ask
from lockgate.pipeline.run import run
from lockgate.upstream.link import Hears, LinkReply
from lockgate.wire.capabilities import asks_of
from support.world import PERMIT_ALL, Listening, World, shipped_order
from worlds import call

CAN = b'{"elicitation":{},"sampling":{},"roots":{}}'
FORM = b'{"message":"Sure?","requestedSchema":{"type":"object","properties":{}}}'
SAMPLING = b'{"messages":[],"maxTokens":9}'
CALLS_ONLY = 'permit(principal, action == Action::"tools/call", resource);'

Asking = Callable[[Hears], Any]


class Curious(World):
    """A world whose upstream asks before it answers."""

    def __init__(self, asking: Asking, policy: str = PERMIT_ALL, fail_at: int = 0) -> None:
        super().__init__(shipped_order(policy), fail_at)
        self.asking = asking

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        await self.asking(hears)
        return await super().send(permit, hears)


class Once:
    """Asks one question, and keeps what came back."""

    def __init__(
        self, method: str = "elicitation/create", params: bytes = FORM, era: EraName = "legacy"
    ) -> None:
        self.method, self.params, self.era = method, params, era
        self.said: LinkReply | None = None

    async def __call__(self, hears: Hears) -> None:
        self.said = await hears.ask(self.method, self.params, self.era)

    @property
    def refusal(self) -> str:
        assert self.said is not None
        assert self.said.is_error
        text = orjson.loads(self.said.raw)["message"]
        return next(code for code, one in REASONS.items() if one.says == text)


def from_a(era: EraName = "legacy", can: bytes = CAN) -> Call:
    said = Envelope(era=era, capabilities=can, asks=asks_of(can), session="s-1", progress=True)
    return msgspec.structs.replace(call(), envelope=said)


async def test_a_question_is_judged_recorded_and_answered_with_what_the_client_says() -> None:
    once, client = Once(), Listening(b'{"action":"accept","content":{"n":1.0}}')
    world = Curious(once)
    assert isinstance(await run(from_a(), world.gate(), client), Release)
    assert once.said == LinkReply(client.says)
    (asked,) = client.asked
    assert (asked.id, asked.method, asked.params) == ("c-1.q1", "elicitation/create", FORM)
    assert (asked.principal, asked.upstream) == (call().principal, call().upstream)
    assert asked.part_of == "c-1"
    told = [(e.call, e.kind, e.reason) for e in (*world.events("call.intent"),
            *world.events("call.outcome"))]  # fmt: skip
    assert told == [
        ("c-1", "call.intent", "policy.permitted"),
        ("c-1.q1", "call.intent", "policy.permitted"),
        ("c-1.q1", "call.outcome", "inspection.clean"),
        ("c-1", "call.outcome", "inspection.clean"),
    ]
    answer = world.events("call.outcome")[0]
    assert answer.slots["result"] == client.says
    assert world.running == 0


async def test_no_question_is_put_before_it_is_on_record() -> None:
    once, world = Once(), Curious(Once())

    class Looks(Listening):
        async def ask(self, permit: Permit) -> Reply:
            seen.append([e.call for e in world.events("call.intent")])
            return await super().ask(permit)

    seen: list[list[str]] = []
    world.asking = once
    await run(from_a(), world.gate(), Looks())
    assert seen == [["c-1", "c-1.q1"]]


async def test_by_default_nothing_is_asked() -> None:
    once, client = Once(), Listening()
    world = Curious(once, CALLS_ONLY)
    assert isinstance(await run(from_a(), world.gate(), client), Release)
    assert once.refusal == "policy.no-rule"
    assert client.asked == []
    (refused,) = [e for e in world.events("call.intent") if e.call == "c-1.q1"]
    assert (refused.effect, refused.slots["args"]) == ("deny", FORM)


@pytest.mark.parametrize(
    ("can", "method", "params", "era", "reason"),
    [
        (b"{}", "elicitation/create", FORM, "legacy", "ask.not-declared"),
        (CAN, "elicitation/create", b'{"message":7}', "legacy", "ask.shape"),
        (CAN, "sampling/createMessage", SAMPLING, "modern", "ask.other-era"),
        (CAN, "roots/list", b"{}", "modern", "ask.other-era"),
        (CAN, "tools/call", b"{}", "legacy", "ask.unknown-method"),
        (CAN, "ping", b"{}", "legacy", "ask.unknown-method"),
    ],
)
async def test_what_may_not_be_asked_is_refused_to_the_upstream(
    can: bytes, method: str, params: bytes, era: EraName, reason: str
) -> None:
    once, client = Once(method, params, era), Listening()
    assert isinstance(await run(from_a(can=can), Curious(once).gate(), client), Release)
    assert once.refusal == reason
    assert client.asked == []
    assert once.said is not None
    assert orjson.loads(once.said.raw)["code"] == REASONS[reason].rpc


async def test_the_upstream_is_told_nothing_of_policy_or_people() -> None:
    once = Once()
    forbids = PERMIT_ALL + (
        '@id("no-asking-alice") forbid(principal, action in Action::"ask", resource);'
    )
    await run(from_a(), Curious(once, forbids).gate(), Listening())
    assert once.said is not None
    assert orjson.loads(once.said.raw) == {
        "code": REASONS["policy.denied"].rpc,
        "message": REASONS["policy.denied"].says,
    }


async def test_within_an_era_sampling_is_put_to_the_client() -> None:
    once = Once("sampling/createMessage", SAMPLING)
    client = Listening(b'{"role":"assistant","content":{"type":"text","text":"hi"}}')
    await run(from_a(), Curious(once).gate(), client)
    assert once.said == LinkReply(client.says)


async def test_an_answer_of_another_shape_never_reaches_the_upstream() -> None:
    once, client = Once(), Listening(b'{"action":"perhaps","secret":1}')
    world = Curious(once)
    await run(from_a(), world.gate(), client)
    assert once.refusal == "reply.shape"
    assert [e.reason for e in world.events("call.outcome") if e.call == "c-1.q1"] == ["reply.shape"]


async def test_a_clients_error_is_passed_on_as_one() -> None:
    class Errs(Listening):
        async def ask(self, permit: Permit) -> Reply:
            return Reply(permit.call, b'{"code":-1,"message":"user rejected"}', is_error=True)

    once = Once()
    await run(from_a(), Curious(once).gate(), Errs())
    assert once.said == LinkReply(b'{"code":-1,"message":"user rejected"}', is_error=True)


async def test_without_anybody_to_ask_the_upstream_is_told_so() -> None:
    once = Once()
    world = Curious(once)
    await run(from_a(), world.gate(), Silent())
    assert once.refusal == "ask.nobody"
    assert [e.reason for e in world.events("call.outcome")] == ["ask.nobody", "inspection.clean"]


async def test_one_call_may_ask_so_often() -> None:
    said: list[LinkReply] = []

    async def insist(hears: Hears) -> None:
        for _ in range(MOST_ASKS + 2):
            said.append(await hears.ask("elicitation/create", FORM, "legacy"))

    client = Listening()
    await run(from_a(), Curious(insist).gate(), client)
    assert [one.is_error for one in said] == [False] * MOST_ASKS + [True] * 2
    assert len({one.id for one in client.asked}) == MOST_ASKS
    assert orjson.loads(said[-1].raw)["message"] == REASONS["ask.too-many"].says


@pytest.mark.parametrize("fail_at", range(1, 12))
async def test_whatever_fails_nobody_is_asked_off_the_record(fail_at: int) -> None:
    once, client = Once(), Listening()
    world = Curious(once, fail_at=fail_at)
    with suppress(JournalDown):
        await run(from_a(), world.gate(), client)
    intents = {e.call for e in world.events("call.intent") if e.effect == "permit"}
    assert {asked.id for asked in client.asked} <= intents
    assert {e.call for e in world.events("call.outcome")} == intents
    assert world.running == 0


def test_a_question_carries_the_clients_own_capabilities_for_that_era() -> None:
    asked = ask_of(from_a("modern"), "elicitation/create", FORM, "legacy", 3)
    assert asked.id == "c-1.q3"
    assert asked.envelope.era == "legacy"
    assert orjson.loads(asked.envelope.asks) == {"elicitation": {"form": {}}}
    assert asked.envelope.session == "s-1"
    assert asked.envelope.progress is False
    assert asked.target == ""
    again = ask_of(asked, "roots/list", b"{}", "legacy", 1)
    assert again.part_of == "c-1"


def test_a_refused_question_says_so_in_json_rpc() -> None:
    said = refused_ask("ask.too-many", -7)
    assert said.is_error
    assert orjson.loads(said.raw) == {"code": -7, "message": REASONS["ask.too-many"].says}
