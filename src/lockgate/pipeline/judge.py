"""Ask every control, and combine the answers."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from lockgate.model import (
    Call,
    Catalogue,
    Decision,
    Effect,
    Facts,
    Notice,
    Obligation,
    Reply,
    Verdict,
    combine,
)
from lockgate.pipeline.control import Control

S = TypeVar("S", Call, Reply, Notice, Catalogue)

MOST_REWRITES = 2


def verdicts_of(controls: Sequence[Control[S]], subject: S, facts: Facts) -> list[Verdict]:
    """One verdict a control. A control that raises has denied."""
    return [_verdict(control, subject, facts) for control in controls]


def _verdict(control: Control[S], subject: S, facts: Facts) -> Verdict:
    try:
        return control.check(subject, facts)
    except Exception as failure:  # noqa: BLE001 - judgement is a named place: raising denies
        because = (type(failure).__name__,)
        return Verdict(control.id, Effect.DENY, "pipeline.control-failed", because=because)


def judge(controls: Sequence[Control[S]], subject: S, facts: Facts) -> Decision:
    # Every control of this order must be heard.
    required = frozenset([control.id for control in controls])
    return combine(subject.digest, verdicts_of(controls, subject, facts), required=required)


def stricter(decision: Decision, reason: str, *because: str) -> Decision:
    """The same decision, and a denial on top of it."""
    extra = Verdict("pipeline.run", Effect.DENY, reason, because=because)
    return combine(decision.about, [*decision.verdicts, extra], required=decision.required)


def unmet(decision: Decision, known: frozenset[str]) -> Decision:
    """An obligation that nobody here can do denies."""
    kinds = sorted({o.kind for o in decision.obligations} - known)
    return stricter(decision, "obligation.cannot", *kinds) if kinds else decision


Rewrite = Callable[[Any, tuple[Obligation, ...]], Any]
