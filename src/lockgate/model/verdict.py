"""How controls speak, and how their answers become one decision."""

from collections.abc import Iterable
from enum import IntEnum

import msgspec

from lockgate.model.reason import Uncatalogued
from lockgate.model.reasons import REASONS


class Effect(IntEnum):
    """Ordered by strictness: when controls disagree, the greatest wins."""

    PERMIT = 0
    HOLD = 1
    """Needs a person. Lifted only by the fact ``approvals`` in a new evaluation."""
    DENY = 2


EFFECT_NAMES = {effect: effect.name.lower() for effect in Effect}
"""As records spell them."""


class Finding(msgspec.Struct, frozen=True, order=True):
    """Something a detector saw: what kind and where. Never the value itself."""

    code: str
    pointer: str
    """JSON pointer (RFC 6901) into the arguments or the result."""
    start: int
    end: int
    confidence: float = 1.0


class Obligation(msgspec.Struct, frozen=True, order=True):
    """What must also be done if we permit. The enforcement point denies if it cannot."""

    kind: str
    """``drop``: remove an argument; ``hide``: remove a list entry."""
    pointer: str = ""
    note: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """One control's answer about one subject. There is no third state and no ``None``.

    Raises ``Uncatalogued`` for a reason that ``model/reasons.py`` does not list.
    """

    control: str
    effect: Effect
    reason: str
    findings: tuple[Finding, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    because: tuple[str, ...] = ()
    """For people, not for the model: policy ids that decided, the limit that was met ..."""
    retry_after_ms: int = 0
    factors: tuple[str, ...] = ()
    """With HOLD: whose yes is missing."""
    grounds: str = ""
    """With HOLD: hash of what decided in this control, so that a yes holds for no other rules."""
    used: tuple[str, ...] = ()
    """With PERMIT: ids of the approvals it rests on. They are used up before anything is sent."""
    enforced: bool = True
    """False: observe mode. Recorded, not counted."""

    def __post_init__(self) -> None:
        if self.reason not in REASONS:
            raise Uncatalogued(self.reason)


class Decision(msgspec.Struct, frozen=True):
    """All verdicts about one digest, combined. Made by ``combine``.

    ``effect`` and ``reason`` are worked out from the verdicts, never given, so that a decision
    that says more than its verdicts cannot be written down.
    """

    about: str
    verdicts: tuple[Verdict, ...]
    required: frozenset[str]
    effect: Effect = Effect.DENY
    reason: str = "pipeline.no-controls"

    def __post_init__(self) -> None:
        worst = _strictest(self.verdicts, self.required)
        msgspec.structs.force_setattr(self, "effect", worst.effect)
        msgspec.structs.force_setattr(self, "reason", worst.reason)

    @property
    def deciding(self) -> Verdict:
        """The verdict that set the effect."""
        return _strictest(self.verdicts, self.required)

    @property
    def obligations(self) -> tuple[Obligation, ...]:
        """Every counted obligation, in a fixed order, once each."""
        owed = [o for v in self.verdicts if v.enforced and v.obligations for o in v.obligations]
        return tuple(sorted(set(owed))) if owed else ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(sorted({f for v in self.verdicts for f in v.findings}))


def combine(about: str, verdicts: Iterable[Verdict], *, required: frozenset[str]) -> Decision:
    """The strictest enforced verdict wins; silence from a required control is a denial.

    * Forbid trumps permit.
    * Default deny: no verdicts, or an empty list of required controls, is a denial.
    * Order and repetition do not matter.
    * Adding a control can only make a decision stricter.
    """
    given = tuple(verdicts)
    by_control = {v.control: v for v in given}
    if len(by_control) == len(given):  # then no two of them could be equal, or tie
        said = tuple(by_control[control] for control in sorted(by_control))
    else:
        said = tuple(sorted(set(given), key=_rank))
    return Decision(about, said, required)


def _rank(v: Verdict) -> tuple[object, ...]:
    # A total order over all fields that differ: any tie would leak the input order.
    return (v.control, v.effect, v.reason, v.enforced, v.factors, v.grounds, v.used,
            v.retry_after_ms, v.because, v.obligations, v.findings)  # fmt: skip


def _strictest(verdicts: tuple[Verdict, ...], required: frozenset[str]) -> Verdict:
    silent = required - {v.control for v in verdicts}
    if silent:
        return Verdict(min(silent), Effect.DENY, "pipeline.control-silent")
    counted = [v for v in verdicts if v.enforced]
    if not required or not counted:
        return Verdict("pipeline.combine", Effect.DENY, "pipeline.no-controls")
    # Among equals: one that can say why, and policy before inspection before approval, so that
    # nobody learns how to mend a call that is not theirs to make.
    return max(counted, key=lambda v: (v.effect, bool(v.because), v.control))
