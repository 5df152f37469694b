from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from lockgate.approval.desk import Found
from lockgate.approval.edits import Change
from lockgate.model.inquiry import Kept
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.pipeline.results import DEFINITION, NAME, OURS, is_asked, look_up
from lockgate.pipeline.run import Refused
from support.executing import meta, reason, request_of, text
from support.inquiries import approved, inquiry
from support.world import World, shipped_order
from worlds import ALICE, call

MARKS = {("clinic", "delete_patient"): "owner"}
RAN = call("delete_patient", patient_id="p-1")
KEPT = Kept(b'{"content":[{"type":"text","text":"gone"}]}')
DONE = Found(approved(state="succeeded", reason="approval.ran", used=1_000), RAN, "approval.ran",
             KEPT)  # fmt: skip
HELD = '@hold("x") forbid(principal, action, resource) unless {context.approvals.contains("x")};'
EVERYWHERE = Caller(ALICE, Endpoint("/mcp", ("clinic",), prefixed=True), "192.0.2.1", "c-9")


def world_of(found: Found | None, policy: str = "permit(principal, action, resource);") -> World:
    world = World(shipped_order(policy, MARKS))
    world.found = found
    return world


async def ask(world: World, caller: Caller = EVERYWHERE, **said: Any) -> Any:
    return await look_up(request_of(NAME, said or {"handle": "q1"}), caller, world.gate())


async def test_it_hands_out_what_came_of_the_call() -> None:
    world = world_of(DONE)
    answer = await ask(world)
    assert text(answer) == "gone"
    ran = {"handle": "q1", "state": "succeeded", "ran_at": "1970-01-01T00:00:01Z"}
    assert meta(answer) == {"lockgate/approval": ran}
    intent, outcome = world.events("call.intent")[0], world.events("call.outcome")[0]
    assert (intent.header["upstream"], intent.header["target"]) == (OURS.name, NAME)
    assert (outcome.header["upstream"], outcome.header["target"]) == ("clinic", "delete_patient")
    assert intent.call == outcome.call == "c-9"
    assert outcome.header["part_of"] == RAN.id
    assert "send" not in world.steps, "no upstream is called"
    assert world.running == 0


@pytest.mark.parametrize(
    ("state", "why", "words", "error"),
    [
        ("pending", "approval.needed", "waits until 1970-01-01T00:00:01Z", False),
        ("approved", "approval.needed", "about to run", False),
        ("used", "approval.running", "is running", False),
        ("denied", "approval.denied", "said no", True),
        ("vetoed", "approval.vetoed", "stopped", True),
        ("expired", "approval.expired", "in time", True),
        ("failed", "approval.interrupted", "before you ask again", True),
        ("failed", "upstream.timeout", "in time", True),
        ("superseded", "approval.tool-changed", "definition", True),
        ("revoked", "approval.lapsed", "any more", True),
    ],
)
async def test_it_says_how_it_stands(state: Any, why: str, words: str, error: bool) -> None:
    answer = await ask(world_of(Found(inquiry(state=state), RAN, why)))
    assert words in text(answer)
    assert "dora" not in text(answer)
    assert "owner" not in text(answer), "who is asked is nobody's business"
    said = answer.said.decoded
    assert said["isError"] is error
    assert meta(answer) == {
        "lockgate/reason": why, "lockgate/approval": {"handle": "q1", "state": state},
    }  # fmt: skip


async def test_what_its_client_must_make_itself_says_so() -> None:
    found = Found(approved(on_retry=True), RAN, "approval.needed")
    assert "again with identical arguments" in text(await ask(world_of(found)))


async def test_it_says_what_somebody_changed() -> None:
    edit = inquiry("q2", parent="q1")
    found = Found(edit, RAN, "approval.needed", None, (Change("/patient_id", '"p-1"', '"p-2"'),))
    answer = await ask(world_of(found))
    assert '/patient_id: "p-1" -> "p-2"' in text(answer)
    assert meta(answer)["lockgate/approval"] == {"handle": "q2", "state": "pending", "parent": "q1"}


async def test_what_is_not_theirs_or_of_another_endpoint_is_unknown() -> None:
    assert reason(await ask(world_of(None))) == "approval.unknown-handle"
    elsewhere = replace(EVERYWHERE, endpoint=Endpoint("/mcp/files", ("files",), prefixed=False))
    assert reason(await ask(world_of(DONE), elsewhere)) == "approval.unknown-handle"


@pytest.mark.parametrize("said", [{"handle": 7}, {"handle": "x" * 129}, {"id": "q1"}])
async def test_other_arguments_are_refused(said: dict[str, Any]) -> None:
    world = world_of(DONE)
    assert reason(await ask(world, **said)) == "schema.invalid"
    assert "look" not in world.steps


async def test_whoever_may_not_make_the_call_now_gets_nothing_of_it() -> None:
    answer = await ask(world_of(DONE, 'permit(principal, action in Action::"list", resource);'))
    assert reason(answer) == "policy.no-rule"
    answer = await ask(world_of(DONE, f"permit(principal, action, resource); {HELD}"))
    assert text(answer) == "gone", "what was approved then need not be approved again"


async def test_reply_controls_judge_it_as_the_answer_of_that_call() -> None:
    world = world_of(replace(DONE, kept=Kept(b'{"content":"x"}')))
    answer = await ask(world)
    assert isinstance(answer, Refused)
    assert answer.reason == "reply.shape"


def test_it_is_there_only_where_people_are_asked() -> None:
    asked = request_of(NAME, {})
    assert is_asked(asked, world_of(None).gate())
    assert not is_asked(asked, World().gate())
    assert not is_asked(replace(asked, method="prompts/get"), world_of(None).gate())
    assert shipped_order(HELD).holds
    assert not shipped_order().holds


def test_its_name_can_be_no_upstreams() -> None:
    assert orjson.loads(DEFINITION)["name"] == NAME
    assert "." in OURS.name
