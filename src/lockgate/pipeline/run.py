"""One call, start to finish: gather, judge, record the intent, forward, judge the reply, record."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from lockgate.approval.desk import Held
from lockgate.model import (
    AuditEvent,
    Call,
    Decision,
    Effect,
    Facts,
    JournalDown,
    Permit,
    Release,
    Reply,
    SendFailed,
    StoreDown,
    combine,
)
from lockgate.model.inquiry import Inquiry, Kept
from lockgate.pipeline import record
from lockgate.pipeline.asks import Answered, Hearing, Silent, ToClient
from lockgate.pipeline.gather import Gatherer
from lockgate.pipeline.judge import MOST_REWRITES, judge, stricter, unmet, verdicts_of
from lockgate.pipeline.keeping import kept_reply
from lockgate.pipeline.lists import catalogue_of, slices
from lockgate.pipeline.obligations import ON_CALL, ON_LIST, reshape, rewrite
from lockgate.pipeline.order import Order
from lockgate.pipeline.ports import Approvals, Client, Desk, Journal, Sender
from lockgate.wire.methods import METHODS

log = logging.getLogger("lockgate.pipeline")

_FINDINGS_TOLD = 5
USED = "approval.used"
_BROKEN = "approval.interrupted"
SILENT = Silent()
REVOKED = "call.revoked"
"""Whoever cancels a call says this where its caller is let in no more: it is what it ended with."""


class Refused(msgspec.Struct, frozen=True):
    """The call was not let through, or its reply was not let out."""

    reason: str
    call: str
    because: tuple[str, ...] = ()
    """For people only."""
    where: str = ""
    """Where in the call, and what kind: safe for the model, as findings never hold values. Or how
    the caller can help it."""
    retry_after_ms: int = 0
    inquiry: Inquiry | None = None
    """The question that waits for a person, where one does."""


class Gate(msgspec.Struct, frozen=True):
    """Everything a call meets. Replaced whole on reload; a running call keeps the one it has."""

    order: Order
    gatherer: Gatherer
    journal: Journal
    sender: Sender
    approvals: Approvals
    desk: Desk
    stamp: Callable[[], record.Stamp]
    result_cap: int = 16_384
    """Results up to this many bytes are kept whole in the journal's ``result`` slot."""
    durable_outcomes: frozenset[str] = frozenset()
    """Data classes whose outcome must be durable before the answer is let out."""


async def run(call: Call, gate: Gate, client: Client) -> Release | Refused:
    """Raises ``JournalDown`` where the intent cannot be recorded; then nothing was forwarded."""
    async with _judged(call, gate) as (last, decision, facts):
        if decision.effect is Effect.HOLD:
            return await _ask(last, decision, facts, gate)
        if decision.effect is not Effect.PERMIT:
            return _refused(last, decision)
        return await _forward(Permit(last, decision), facts, gate, client)


async def admit(call: Call, gate: Gate, outcome: str) -> Refused | None:
    """Judge and record a call that goes out as part of another's answer: ``outcome`` is the reason
    it ends with here. Raises ``JournalDown``."""
    async with _judged(call, gate) as (last, decision, _):
        if decision.effect is not Effect.PERMIT:
            return _refused(last, decision)
        if last is not call:  # it would go out as it came, not as it was judged
            reason = "obligation.cannot"
            gate.journal.note(record.failure(gate.stamp(), last, reason, "not handed over"))
            return Refused(reason, call.id)
        gate.journal.note(record.handed_over(gate.stamp(), last, outcome))
        return None


async def let_out(call: Call, kept: Kept, gate: Gate) -> Release | Refused:
    """What came of a call that was approved and ran, for whoever asked. It is judged anew: what may
    not be called any more is not told either. The upstream is not called. Raises ``JournalDown``.
    """
    async with _judged(call, gate) as (last, decision, facts):
        if decision.effect is Effect.DENY:
            return _refused(last, decision)
        return await _let_out(Reply(last, kept.raw, kept.is_error), facts, gate)


async def put_to_client(ask: Call, gate: Gate, client: Client) -> Release | Refused:
    """A call in the other direction: its upstream asks, the client answers."""
    return await run(ask, msgspec.structs.replace(gate, sender=ToClient(client)), SILENT)


@asynccontextmanager
async def _judged(call: Call, gate: Gate) -> AsyncIterator[tuple[Call, Decision, Facts]]:
    """Steps 5 to 10: the call as it would be sent, the decision about it, what was learnt. The
    intent is durable; what was reserved is given back at the end."""
    facts = Facts({})
    try:
        for _ in range(MOST_REWRITES + 1):
            facts = await gate.gatherer.gather(call, gate.order.needs, facts)
            decision = unmet(judge(gate.order.on_call, call, facts), ON_CALL)
            changed = _rewritten(call, decision)
            if changed is call:
                break
            call = changed
        else:
            decision = stricter(judge(gate.order.on_call, call, facts), "pipeline.rewrites")
        await _record_intent(call, decision, facts, gate)
        yield call, decision, facts
    finally:
        gate.gatherer.settle(facts)


async def _record_intent(call: Call, decision: Decision, facts: Facts, gate: Gate) -> None:
    """No record, no action: raises ``JournalDown`` where the intent did not become durable."""
    try:
        intent = record.intent(
            gate.stamp(), call, decision, facts, gate.order.policy, gate.result_cap
        )
        await gate.journal.commit(intent)
    except asyncio.CancelledError as ended:  # the row may be written all the same: say how it ended
        gate.journal.note(record.failure(gate.stamp(), call, _why(ended), "not forwarded"))
        raise


def _rewritten(call: Call, decision: Decision) -> Call:
    # Also before a person is asked: they approve what will be sent, not what came.
    if decision.effect is Effect.DENY:
        return call
    return rewrite(call, decision.obligations)


async def _ask(call: Call, decision: Decision, facts: Facts, gate: Gate) -> Release | Refused:
    """A person must say yes first. Where the same was asked before, and ran, its result is let out
    again, judged anew; but what a person answered to an upstream is theirs to say each time. About
    the gateway's own calls nobody is asked: they are the same over anybody's connection."""
    if call.principal.kind == "system":
        return _refused(call, decision)
    held = await gate.desk.hold(call, decision)
    return await _told(call, held, _refused(call, decision), facts, gate)


async def _told(
    call: Call, held: Held, refused: Refused, facts: Facts, gate: Gate
) -> Release | Refused:
    if METHODS[call.method].kind != "ask" and held.kept is not None and held.inquiry is not None:
        return await _let_out(kept_reply(call, held.kept, held.inquiry), facts, gate)
    where = held.inquiry.id if held.inquiry else ""
    return msgspec.structs.replace(refused, reason=held.reason, where=where, inquiry=held.inquiry)


async def _forward(permit: Permit, facts: Facts, gate: Gate, client: Client) -> Release | Refused:
    """What came of a call that somebody approved is kept for whoever asked."""
    answer: Release | Refused | None = None
    spent: list[str] = []  # of what somebody else has used, nothing is this call's to say
    try:
        answer = await _send(permit, spent, facts, gate, client)
    finally:
        if spent:
            await asyncio.shield(_finish(spent, answer, gate))
    if isinstance(answer, Refused) and answer.reason == USED:
        held = await gate.desk.join(_used(permit))
        return await _told(permit.call, held, answer, facts, gate)
    return answer


async def _send(
    permit: Permit, spent: list[str], facts: Facts, gate: Gate, client: Client
) -> Release | Refused:
    """The approvals it rests on are used up, in one step, before it is sent: then they are in
    ``spent``."""
    call, used = permit.call, _used(permit)
    unanswered, detail = "pipeline.failed", ""
    try:
        if not await gate.approvals.consume(used):
            raise SendFailed(USED, "not forwarded")
        spent += used
        reply = await gate.sender.send(permit, _hearing(call, facts, gate, client))
        answer = await _let_out(reply, facts, gate, used)
        unanswered = ""
    except SendFailed as failed:
        unanswered, detail = failed.reason, failed.detail
        return Refused(failed.reason, call.id, because=(failed.detail,), where=failed.told)
    except asyncio.CancelledError as ended:
        unanswered = _why(ended)
        raise
    else:
        return answer
    finally:
        if unanswered:  # whatever happened, an intent never stays without its outcome
            gate.journal.note(record.failure(gate.stamp(), call, unanswered, detail, used))


def _used(permit: Permit) -> tuple[str, ...]:
    return tuple(sorted({id for verdict in permit.decision.verdicts for id in verdict.used}))


async def _finish(used: Sequence[str], answer: Release | Refused | None, gate: Gate) -> None:
    said = answer.said if isinstance(answer, Release) else None
    kept = Kept(said.raw, said.is_error) if isinstance(said, Reply) else None
    why = "approval.ran" if kept else answer.reason if isinstance(answer, Refused) else _BROKEN
    try:
        await gate.desk.finish(used, why, kept)
    except StoreDown as down:  # it ran, and the journal says so
        log.error("what came of an approved call could not be kept: %s", down)


def _why(ended: asyncio.CancelledError) -> str:
    return REVOKED if REVOKED in ended.args else "call.cancelled"


def _hearing(call: Call, facts: Facts, gate: Gate, client: Client) -> Hearing:
    async def put(ask: Call) -> Answered:
        answer = await put_to_client(ask, gate, client)
        return answer.reason if isinstance(answer, Refused) else answer

    return Hearing(call, client, lambda notice: judge(gate.order.on_notice, notice, facts), put)


async def _let_out(
    reply: Reply, facts: Facts, gate: Gate, used: tuple[str, ...] = ()
) -> Release | Refused:
    """Steps 12 and 14: judge the reply, do what is owed, record the outcome."""
    reply, decision = await _judge_reply(reply, facts, gate.order)
    event = record.outcome(gate.stamp(), reply.call, decision, reply, gate.result_cap, used)
    if not reply.call.upstream.data_classes & gate.durable_outcomes:
        gate.journal.note(event)
    elif not await _committed(event, gate.journal):
        return Refused("journal.outcome-withheld", reply.call.id)
    if decision.effect is not Effect.PERMIT:
        return _refused(reply.call, decision)
    return Release(reply, decision)


async def _committed(event: AuditEvent, journal: Journal) -> bool:
    """Whether an outcome became durable. If not it stays noted, for it has happened."""
    try:
        await journal.commit(event)
    except JournalDown:
        journal.note(event)
        return False
    return True


async def _judge_reply(reply: Reply, facts: Facts, order: Order) -> tuple[Reply, Decision]:
    decision = judge(order.on_reply, reply, facts)
    if reply.is_error or not METHODS[reply.call.method].array:
        return reply, unmet(decision, frozenset())
    for _ in range(MOST_REWRITES + 1):
        if decision.effect is not Effect.PERMIT:
            return reply, decision
        changed, decision = await _judge_list(reply, facts, order, decision)
        if changed is reply:
            return reply, decision
        reply, decision = changed, judge(order.on_reply, changed, facts)
    return reply, stricter(decision, "pipeline.rewrites")


async def _judge_list(
    reply: Reply, facts: Facts, order: Order, decision: Decision
) -> tuple[Reply, Decision]:
    catalogue, said = catalogue_of(reply), list(decision.verdicts)
    for part in slices(catalogue):
        said += verdicts_of(order.on_list, part, facts)
        await asyncio.sleep(0)  # a long list must not hold up everybody else
    required = decision.required.union(c.id for c in order.on_list)
    whole = unmet(combine(reply.digest, said, required=required), ON_LIST)
    if whole.effect is not Effect.PERMIT:
        return reply, whole
    return reshape(catalogue, whole.obligations), whole


def _refused(call: Call, decision: Decision) -> Refused:
    deciding = decision.deciding
    where = "; ".join(f"{f.pointer} ({f.code})" for f in deciding.findings[:_FINDINGS_TOLD])
    return Refused(decision.reason, call.id, deciding.because, where, deciding.retry_after_ms)
