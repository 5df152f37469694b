"""Calls to tools that the catalogue marks wait for a person."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from lockgate.model import (
    APPROVALS,
    NOW,
    Call,
    Effect,
    FactKey,
    Facts,
    Known,
    Unknown,
    Verdict,
)

Marks = Mapping[tuple[str, str], str]
"""(upstream, tool) to the factor whose yes is needed: who owns the data, security ..."""


_NOT_NEEDED = Verdict("approval.gate", Effect.PERMIT, "approval.not-needed")


class ApprovalGate:
    """HOLD until an approval of exactly this call, tool definition and mark is on record.

    This is the catalogue's own mark; a Cedar ``@hold`` is the same question asked by policy.
    """

    id = "approval.gate"
    needs: frozenset[FactKey[Any]] = frozenset({APPROVALS, NOW})

    def __init__(self, marks: Marks) -> None:
        self._marks = marks

    def check(self, call: Call, facts: Facts) -> Verdict:
        factor = self._marks.get((call.upstream.name, call.target))
        if factor is None or call.method != "tools/call":
            return _NOT_NEEDED
        grounds = grounds_of(call, factor)
        match facts.get(APPROVALS), facts.get(NOW):
            case Known(approvals), Known(now):
                mine = (a for a in approvals if a.covers(call, self.id, grounds, now))
                given = tuple(a.id for a in mine if a.factor == factor)[:1]
            case Unknown(why), _:
                return Verdict(self.id, Effect.DENY, "approval.unknown", because=(why,))
            case _:
                return Verdict(self.id, Effect.DENY, "approval.unknown", because=("no clock",))
        if given:
            return Verdict(self.id, Effect.PERMIT, "approval.given", because=given, used=given)
        return Verdict(self.id, Effect.HOLD, "approval.needed", factors=(factor,), grounds=grounds)


def grounds_of(call: Call, factor: str) -> str:
    """Hash of the mark: where it names somebody else, an earlier yes is worth nothing."""
    body = orjson.dumps([call.upstream.name, call.target, factor])
    return hashlib.sha256(b"lockgate/grounds/v1\0" + body).hexdigest()
