"""Why a call is judged as it is, for people who write policies."""

import msgspec

from lockgate.model import Call, Effect, Facts
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.cedar import CedarPolicy
from lockgate.policy.mapping import Mistyped, Request, request_of
from lockgate.policy.rule import Rule


class Explanation(msgspec.Struct, frozen=True):
    """Holds argument values: for the console of someone who may see them, never for the model."""

    effect: Effect
    reason: str
    rules: tuple[Rule, ...]
    """The determining policies with their text and place, by id."""
    missing: tuple[str, ...]
    """With HOLD: the factors that are asked for."""
    approved: tuple[str, ...]
    """Factors whose approval made the difference."""
    request: Request | Mistyped | None
    """What Cedar was asked, without approvals and time."""


def explain(bundle: PolicyBundle, call: Call, facts: Facts) -> Explanation:
    """The verdict of ``policy.cedar``, with the policies behind it spelt out."""
    verdict = CedarPolicy(bundle).check(call, facts)
    mark = "approval:"
    return Explanation(
        effect=verdict.effect,
        reason=verdict.reason,
        rules=tuple(bundle.rules[name] for name in verdict.because if name in bundle.rules),
        missing=verdict.factors,
        approved=tuple(b.removeprefix(mark) for b in verdict.because if b.startswith(mark)),
        request=request_of(bundle.mapping, call),
    )
