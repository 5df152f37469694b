import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from lockgate.approval.desk import Held
from lockgate.model import (
    REASONS,
    SYSTEM,
    AuditEvent,
    Call,
    Catalogue,
    Decision,
    Effect,
    Envelope,
    FactKey,
    Facts,
    JournalDown,
    Notice,
    Obligation,
    Permit,
    Release,
    Reply,
    SendFailed,
    StoreDown,
    Verdict,
)
from lockgate.model.inquiry import Kept
from lockgate.pipeline.asks import ask_of
from lockgate.pipeline.run import REVOKED, SILENT, Gate, Refused, run
from lockgate.upstream.link import Hears
from support.inquiries import inquiry, yes_to
from support.world import PERMIT_ALL, Listening, World, shipped_order
from worlds import call, list_call

DROP = '@drop("/arguments/debug") permit(principal, action, resource);'
HOLD = PERMIT_ALL + '@hold("owner") forbid(principal, action == Action::"tools/call", resource)' + (
    ' unless { context.approvals.contains("owner") };'
)  # fmt: skip


async def go(world: World, asked: Call | None = None, **changes: object) -> Release | Refused:
    return await run(asked or call(patient_id="p-1"), world.gate(**changes), SILENT)


def reason(answer: Release | Refused) -> str:
    assert isinstance(answer, Refused)
    return answer.reason


class Says:
    """A control that always says the same."""

    needs: frozenset[FactKey[int]] = frozenset()

    def __init__(self, id: str, verdict: Verdict | None) -> None:
        self.id = id
        self._verdict = verdict

    def check(self, subject: Call | Reply | Catalogue | Notice, facts: Facts) -> Verdict:
        if self._verdict is None:
            raise ZeroDivisionError
        return self._verdict


def with_call_control(world: World, control: Says) -> World:
    world.order = msgspec.structs.replace(world.order, on_call=(*world.order.on_call, control))
    return world


async def test_a_permitted_call_is_recorded_then_forwarded_then_answered() -> None:
    world = World()
    answer = await go(world)
    assert isinstance(answer, Release)
    assert answer.said.raw == world.result
    assert [s for s in world.steps if s != "fact"] == ["commit", "send", "note"]
    assert world.events("call.outcome")[0].slots["result"] == world.result


async def test_a_denied_call_is_recorded_and_not_forwarded() -> None:
    world = World(shipped_order(policy=""))
    assert reason(await go(world)) == "policy.no-rule"
    assert "send" not in world.steps
    assert world.events("call.intent")[0].effect == "deny"


async def test_a_control_that_raises_has_denied() -> None:
    world = with_call_control(World(), Says("policy.broken", None))
    assert reason(await go(world)) == "pipeline.control-failed"
    assert "send" not in world.steps


async def test_a_reply_control_that_raises_lets_nothing_out() -> None:
    world = World()
    broken = (*world.order.on_reply, Says("inspection.broken", None))
    world.order = msgspec.structs.replace(world.order, on_reply=broken)
    assert reason(await go(world)) == "pipeline.control-failed"
    assert "send" in world.steps


async def test_an_obligation_nobody_can_do_denies() -> None:
    owed = Verdict("policy.odd", Effect.PERMIT, "policy.permitted",
                   obligations=(Obligation("teleport"),))  # fmt: skip
    world = with_call_control(World(), Says("policy.odd", owed))
    assert reason(await go(world)) == "obligation.cannot"


async def test_what_policy_drops_is_not_sent_and_the_rest_is_judged_again() -> None:
    world = World(shipped_order(DROP))
    asked = call(patient_id="p-1", debug=True)
    assert isinstance(await go(world, asked), Release)
    sent = next(v for what, v in world.log if what == "send").call
    assert sent.arguments == {"patient_id": "p-1"}
    assert sent.origin == asked.digest
    intent = world.events("call.intent")[0]
    assert intent.header["digest"] == sent.digest
    assert world.running == 0


async def test_a_call_that_keeps_changing_is_denied() -> None:
    class Restless(Says):
        def check(self, subject: object, facts: Facts) -> Verdict:
            assert isinstance(subject, Call)
            first = next(iter(subject.arguments), "none")
            owed = (Obligation("drop", f"/arguments/{first}"),)
            return Verdict(self.id, Effect.PERMIT, "policy.permitted", obligations=owed)

    world = with_call_control(World(), Restless("policy.restless", None))
    answer = await go(world, call(a=1, b=2, c=3, d=4, e=5))
    assert reason(answer) == "pipeline.rewrites"
    assert "send" not in world.steps


async def test_a_hold_is_lifted_by_an_approval_of_exactly_this_call_once() -> None:
    world = World(shipped_order(HOLD))
    asked = call(patient_id="p-1")
    assert reason(await go(world, asked)) == "approval.needed"
    yes = yes_to(asked, world.order)
    world.known_approvals = (yes,)
    assert reason(await go(world, call(patient_id="p-2"))) == "approval.needed"
    assert isinstance(await go(world, asked), Release)
    assert reason(await go(world, asked)) == "approval.needed"


async def test_an_approval_that_was_used_meanwhile_stops_the_call() -> None:
    world = World(shipped_order(HOLD))
    asked = call(patient_id="p-1")
    yes = yes_to(asked, world.order)
    world.known_approvals = (yes,)

    class Gone(World):
        pass

    gate = msgspec.structs.replace(world.gate(), approvals=Gone())
    answer = await run(asked, gate, SILENT)
    assert reason(answer) == "approval.used"
    assert "send" not in world.steps
    assert world.events("call.outcome")[0].reason == "approval.used"


@pytest.mark.parametrize("failure", [StoreDown("down"), asyncio.CancelledError()])
async def test_whoever_did_not_use_an_approval_says_nothing_of_what_comes_of_it(
    failure: BaseException,
) -> None:
    """It may be somebody else's by now, who is still at work on it."""

    class Failing(World):
        async def consume(self, ids: Sequence[str]) -> bool:
            raise failure

    world = Failing(shipped_order(HOLD))
    asked = call(patient_id="p-1")
    world.known_approvals = (yes_to(asked, world.order),)
    with pytest.raises(type(failure)):
        await go(world, asked)
    assert not {"send", "finish"} & set(world.steps)


async def test_nobody_is_asked_about_the_gateways_own_calls() -> None:
    """Its calls over anybody's connection have one digest: a kept result would be everybody's."""
    world = World(shipped_order(HOLD))
    ours = msgspec.structs.replace(SYSTEM, on_behalf="person:alice")
    asked = msgspec.structs.replace(call(patient_id="p-1"), principal=ours)
    assert reason(await go(world, asked)) == "approval.needed"
    assert "hold" not in world.steps


async def test_what_a_person_once_answered_is_no_answer_to_the_same_question_again() -> None:
    """An upstream that asks "shall I pay?" again hears a person, never what was kept."""

    class Answered(World):
        async def hold(self, call: Call, decision: Decision) -> Held:
            return Held(inquiry(state="succeeded"), "approval.ran", Kept(b'{"action":"accept"}'))

    world = Answered(shipped_order(HOLD.replace('action == Action::"tools/call"', "action")))
    params = b'{"message":"Pay?","requestedSchema":{"type":"object","properties":{}}}'
    declared = Envelope(era="legacy", asks=b'{"elicitation":{"form":{}}}')
    asker = msgspec.structs.replace(call(), envelope=declared)
    ask = ask_of(asker, "elicitation/create", params, "legacy", 1)
    assert reason(await go(world, ask)) == "approval.ran"


async def test_a_hold_with_a_drop_is_approved_for_what_will_be_sent() -> None:
    world = World(shipped_order(DROP + HOLD.removeprefix(PERMIT_ALL)))
    asked = call(patient_id="p-1", debug=True)
    assert reason(await go(world, asked)) == "approval.needed"
    recorded = world.events("call.intent")[0].header["digest"]
    small = call(patient_id="p-1")
    assert recorded == small.digest
    yes = yes_to(small, world.order)
    world.known_approvals = (yes,)
    assert isinstance(await go(world, asked), Release)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (b'{"content":[],"resultType":"complete"}', None),
        (b'{"content":[{"type":"new-kind","x":1}],"vendor":1}', None),
        (b'{"content":[],"resultType":"input_required"}', "reply.shape"),
        (b'{"content":[],"resultType":"task"}', "reply.unknown-type"),
        (b'{"content":[],"resultType":3}', "reply.unknown-type"),
        (b'{"content":"text"}', "reply.shape"),
        (b"{}", "reply.shape"),
        (b"[]", "reply.shape"),
    ],
)
async def test_only_the_shape_the_method_promises_gets_out(
    result: bytes, expected: str | None
) -> None:
    world = World()
    world.result = result
    answer = await go(world)
    if expected is None:
        assert isinstance(answer, Release)
        assert answer.said.raw == result
    else:
        assert reason(answer) == expected
        assert world.events("call.outcome")[0].effect == "deny"


async def test_a_list_shows_what_policy_would_permit_and_says_what_depends() -> None:
    policy = """
    permit(principal, action == Action::"tools/list", resource);
    permit(principal, action == Action::"tools/call", resource == Tool::"clinic/a");
    permit(principal, action == Action::"tools/call", resource == Tool::"clinic/b")
      when { context.now > 5 };
    """
    world = World(shipped_order(policy))
    tools = [{"name": n, "inputSchema": {"type": "object"}, "x-vendor": n} for n in "abc"]
    world.result = msgspec.json.encode({"tools": tools, "vendor": [1.0]})
    answer = await go(world, list_call())
    assert isinstance(answer, Release)
    shown = answer.said.decoded
    assert [t["name"] for t in shown["tools"]] == ["a", "b"]
    assert shown["tools"][1]["_meta"] == {"lockgate/conditional": True}
    assert "_meta" not in shown["tools"][0]
    assert shown["tools"][0]["x-vendor"] == "a"
    assert b"[1.0]" in answer.said.raw


async def test_an_empty_list_is_judged_and_let_out() -> None:
    world = World()
    world.result = b'{"tools":[]}'
    assert isinstance(await go(world, list_call()), Release)


async def test_progress_is_inspected_and_other_notices_stay_behind() -> None:
    world = World()
    world.notices = [
        ("notifications/progress", b'{"progress":1,"total":2,"message":"half"}'),
        ("notifications/message", b'{"level":"loud","data":"secret"}'),
        ("notifications/tools/list_changed", b"{}"),
        ("notifications/progress", b'{"progress":"NaN"}'),
        ("notifications/progress", b'{"progress":2,"message":"' + b"x" * 5_000 + b'"}'),
    ]
    client = Listening()
    await run(call(), world.gate(), client)
    assert [release.said.raw for release in client.seen] == [world.notices[0][1]]


@pytest.mark.parametrize(
    ("said", "outcome"), [((), "call.cancelled"), ((REVOKED,), "call.revoked"),
                          (("whatever",), "call.cancelled")],
)  # fmt: skip
async def test_a_cancelled_call_has_an_outcome_that_says_why(
    said: tuple[str, ...], outcome: str
) -> None:
    class Slow(World):
        async def send(self, permit: Permit, hears: Hears) -> Reply:
            self.log.append(("send", permit))
            started.set()
            await asyncio.Event().wait()
            raise AssertionError

    started, world = asyncio.Event(), Slow()
    task = asyncio.ensure_future(go(world))
    await started.wait()
    task.cancel(*said)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.events("call.outcome")[0].reason == outcome
    assert world.running == 0


async def test_a_failing_upstream_is_a_catalogued_refusal() -> None:
    class Broken(World):
        async def send(self, permit: Permit, hears: Hears) -> Reply:
            raise SendFailed("upstream.timeout", "clinic: 60 s")

    world = Broken()
    answer = await go(world)
    assert reason(answer) == "upstream.timeout"
    assert world.events("call.outcome")[0].header["detail"] == "clinic: 60 s"


async def test_how_the_caller_can_help_is_told_to_them_and_not_kept() -> None:
    class NotConnected(World):
        async def send(self, permit: Permit, hears: Hears) -> Reply:
            raise SendFailed("upstream.connect", "not connected", "Open <a link>")

    world = NotConnected()
    answer = await go(world)
    assert isinstance(answer, Refused)
    assert (answer.reason, answer.where) == ("upstream.connect", "Open <a link>")
    assert "a link" not in repr(world.events("call.outcome"))


async def test_outcomes_of_named_data_classes_are_durable_before_the_answer() -> None:
    world = World()
    await go(world, durable_outcomes=frozenset({"phi"}))
    assert [s for s in world.steps if s != "fact"] == ["commit", "send", "commit"]
    other = World()
    await go(other, durable_outcomes=frozenset({"pci"}))
    assert [s for s in other.steps if s != "fact"] == ["commit", "send", "note"]


async def test_an_outcome_that_cannot_be_made_durable_withholds_the_result_and_says_so() -> None:
    class Fails(World):
        async def commit(self, event: AuditEvent) -> None:
            if event.kind == "call.outcome":
                raise JournalDown("disk full")
            await super().commit(event)

    world = Fails()
    answer = await go(world, durable_outcomes=frozenset({"phi"}))
    assert reason(answer) == "journal.outcome-withheld"
    assert "not repeat" in REASONS["journal.outcome-withheld"].remedy
    assert len(world.events("call.outcome")) == 1


async def test_the_journal_header_holds_no_personal_data() -> None:
    world = World()
    await go(world, call(patient_id="p-77-personal"))
    for event in (*world.events("call.intent"), *world.events("call.outcome")):
        header = repr(event.header)
        assert "p-77-personal" not in header
        assert "alice" not in header


def test_the_gate_is_a_value() -> None:
    assert isinstance(World().gate(), Gate)
