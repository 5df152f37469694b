"""The right to forward exactly one call, and the right to let exactly one reply out."""

import msgspec

from lockgate.model.call import Call
from lockgate.model.reply import Notice, Reply
from lockgate.model.verdict import Decision, Effect


class NotPermitted(Exception):
    """Code tried to hold a right that the decision did not grant. Carries the reason code."""


class Permit(msgspec.Struct, frozen=True):
    """Only exists where ``decision`` permits and is about ``call``. ``send`` takes nothing else."""

    call: Call
    decision: Decision

    def __post_init__(self) -> None:
        _check(self.decision, self.call.digest)


class Release(msgspec.Struct, frozen=True):
    """Only exists where ``decision`` permits and is about ``said``. Only this is answered."""

    said: Reply | Notice
    decision: Decision

    def __post_init__(self) -> None:
        _check(self.decision, self.said.digest)


def _check(decision: Decision, digest: str) -> None:
    if decision.effect is not Effect.PERMIT:
        raise NotPermitted(decision.reason)
    if decision.about != digest:
        raise NotPermitted("permit.other-call")
