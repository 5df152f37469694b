"""What a held call becomes: a question, and each of its steps on record."""

from collections.abc import Mapping, Sequence
from typing import Any

from lockgate.approval.rules import KEPT_MS, ApprovalRules
from lockgate.model import AuditEvent, Call, Decision, question_of
from lockgate.model.approval import holding
from lockgate.model.inquiry import ENTITY, LIVE, Inquiry, Need, plainly


def reason_of(one: Inquiry) -> str:
    """What whoever asked is told of it."""
    if one.state in LIVE:
        return "approval.needed"
    return "approval.running" if one.state == "used" else one.reason or f"approval.{one.state}"


def inquiry_of(call: Call, decision: Decision, rules: ApprovalRules, now: int, id: str) -> Inquiry:
    """The question that ``decision`` holds ``call`` for."""
    binding = question_of(call, decision)
    factors = sorted({f for verdict in holding(decision) for f in verdict.factors})
    ruled = [rules.of(factor) for factor in factors]
    who = call.principal
    names = {who.subject, who.owner, *who.actors} - {""}
    pending = min(rule.pending for rule in ruled)
    window = min(rule.window for rule in ruled)
    return Inquiry(
        id=id,
        kind="call",
        digest=binding.digest,
        title=f"{call.upstream.name}/{call.tool.name if call.tool else call.method}",
        holder=who.id,
        agent=who.agent,
        excluded=tuple(sorted(names)),
        needs=tuple(Need(f, rule.count) for f, rule in zip(factors, ruled, strict=True)),
        created=now,
        expires=now + pending,
        window=window,
        binding=binding,
        call=call.id,
        tool={"upstream": call.upstream.name, "target": call.target, **entities_of(call, ruled)},
        on_retry=any(rule.on_retry for rule in ruled),
        kept_until=now + pending + window + KEPT_MS,
    )


def event(
    id: str, action: str, one: Inquiry, now: int, actor: bytes = b"", **more: Any
) -> AuditEvent:
    """One step of a question, for the journal. ``more``: further impersonal parts."""
    slots = {"actor": actor} if actor else {}
    header = {"action": f"approval.{action}", **plainly(one), **more}
    return AuditEvent(id, one.call, "approval.changed", now, "permit", "approval.changed",
                      header, slots)  # type: ignore[arg-type]  # fmt: skip


def entities_of(call: Call, ruled: Sequence[Any]) -> Mapping[str, str]:
    """What relations are about: the values of the arguments that the rules name."""
    found = {}
    for rule in ruled:
        value: Any = call.arguments
        for name in rule.argument.split("/")[1:]:
            value = value.get(name) if isinstance(value, dict) else None
        if rule.argument and isinstance(value, str | int):
            found[f"{ENTITY}{rule.argument}"] = str(value)
    return found
