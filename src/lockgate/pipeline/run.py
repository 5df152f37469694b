"""One call, start to finish: gather, judge, record the intent, forward, judge the reply, record."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from lockgate.model import (
    APPROVALS,
    NOW,
    AuditEvent,
    Call,
    Decision,
    Effect,
    Facts,
    JournalDown,
    Known,
    Permit,
    Release,
    Reply,
    SendFailed,
    binding_of,
    combine,
)
from lockgate.pipeline import record
from lockgate.pipeline.asks import Answered, Hearing, Silent, ToClient
from lockgate.pipeline.gather import Gatherer
from lockgate.pipeline.judge import MOST_REWRITES, judge, stricter, unmet, verdicts_of
from lockgate.pipeline.lists import catalogue_of, slices
from lockgate.pipeline.obligations import ON_CALL, ON_LIST, reshape, rewrite
from lockgate.pipeline.order import Order
from lockgate.pipeline.ports import Approvals, Client, Journal, Sender
from lockgate.wire.methods import METHODS

_FINDINGS_TOLD = 5
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


class Gate(msgspec.Struct, frozen=True):
    """Everything a call meets. Replaced whole on reload; a running call keeps the one it has."""

    order: Order
    gatherer: Gatherer
    journal: Journal
    sender: Sender
    approvals: Approvals
    stamp: Callable[[], record.Stamp]
    result_cap: int = 16_384
    """Results up to this many bytes are kept whole in the journal's ``result`` slot."""
    durable_outcomes: frozenset[str] = frozenset()
    """Data classes whose outcome must be durable before the answer is let out."""


async def run(call: Call, gate: Gate, client: Client) -> Release | Refused:
    """Raises ``JournalDown`` where the intent cannot be recorded; then nothing was forwarded."""
    async with _judged(call, gate) as (last, decision, facts):
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


async def _forward(permit: Permit, facts: Facts, gate: Gate, client: Client) -> Release | Refused:
    call = permit.call
    unanswered, detail = "pipeline.failed", ""
    try:
        if not await _consume(call, facts, gate):
            raise SendFailed("approval.used", "not forwarded")
        reply = await gate.sender.send(permit, _hearing(call, facts, gate, client))
        answer = await _let_out(reply, facts, gate)
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
            gate.journal.note(record.failure(gate.stamp(), call, unanswered, detail))


def _why(ended: asyncio.CancelledError) -> str:
    return REVOKED if REVOKED in ended.args else "call.cancelled"


async def _consume(call: Call, facts: Facts, gate: Gate) -> bool:
    """Use up the approvals this call rests on, in one step, before it is sent."""
    match facts.get(APPROVALS), facts.get(NOW):
        case Known(approvals), Known(now):
            binding = binding_of(call, gate.order.policy)
            used = [a for a in approvals if a.covers(binding, now)]
            return not used or await gate.approvals.consume(used)
    return True  # without these facts no control has permitted on the strength of an approval


def _hearing(call: Call, facts: Facts, gate: Gate, client: Client) -> Hearing:
    async def put(ask: Call) -> Answered:
        answer = await put_to_client(ask, gate, client)
        return answer.reason if isinstance(answer, Refused) else answer

    return Hearing(call, client, lambda notice: judge(gate.order.on_notice, notice, facts), put)


async def _let_out(reply: Reply, facts: Facts, gate: Gate) -> Release | Refused:
    """Steps 12 and 14: judge the reply, do what is owed, record the outcome."""
    reply, decision = await _judge_reply(reply, facts, gate.order)
    event = record.outcome(gate.stamp(), reply.call, decision, reply, gate.result_cap)
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
