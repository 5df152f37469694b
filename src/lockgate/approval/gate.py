"""Calls to tools that the catalogue marks wait for a person."""

from collections.abc import Mapping
from typing import Any

from lockgate.model import (
    APPROVALS,
    NOW,
    Approval,
    Binding,
    Call,
    Effect,
    FactKey,
    Facts,
    Known,
    Unknown,
    Verdict,
    binding_of,
)

Marks = Mapping[tuple[str, str], str]
"""(upstream, tool) to the factor whose yes is needed: who owns the data, security ..."""


_NOT_NEEDED = Verdict("approval.gate", Effect.PERMIT, "approval.not-needed")


class ApprovalGate:
    """HOLD until an approval of exactly this call, tool definition and policy is on record.

    This is the catalogue's own mark; a Cedar ``@hold`` is the same question asked by policy.
    """

    id = "approval.gate"
    needs: frozenset[FactKey[Any]] = frozenset({APPROVALS, NOW})

    def __init__(self, marks: Marks, policy_hash: str) -> None:
        self._marks = marks
        self._policy = policy_hash

    def check(self, call: Call, facts: Facts) -> Verdict:
        factor = self._marks.get((call.upstream.name, call.target))
        if factor is None or call.method != "tools/call":
            return _NOT_NEEDED
        match facts.get(APPROVALS), facts.get(NOW):
            case Known(approvals), Known(now):
                given = approving(approvals, factor, binding_of(call, self._policy), now)
            case Unknown(why), _:
                return Verdict(self.id, Effect.DENY, "approval.unknown", because=(why,))
            case _:
                return Verdict(self.id, Effect.DENY, "approval.unknown", because=("no clock",))
        if given:
            return Verdict(self.id, Effect.PERMIT, "approval.given", because=given)
        return Verdict(self.id, Effect.HOLD, "approval.needed", factor=factor)


def approving(
    approvals: tuple[Approval, ...], factor: str, binding: Binding, now: int
) -> tuple[str, ...]:
    """Ids of the approvals that say yes to exactly this, for this factor, and have not expired."""
    return tuple(a.id for a in approvals if a.factor == factor and a.covers(binding, now))
