"""May this principal make this call?"""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from lockgate.model import (
    APPROVALS,
    NOW,
    Approval,
    Call,
    Effect,
    FactKey,
    Facts,
    Obligation,
    Unknown,
    Verdict,
)
from lockgate.policy import drops
from lockgate.policy.authorizer import Answer, Authorizer
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.mapping import Mistyped, Request, request_of

NEEDS: frozenset[FactKey[Any]] = frozenset({APPROVALS, NOW})
_NOBODY: frozenset[str] = frozenset()


class CedarPolicy:
    """Default deny; forbid trumps permit; whatever goes wrong is a denial.

    HOLD only where a person's yes would really let the call pass: every determining forbid is
    annotated ``@hold``, and with their factors approved Cedar allows. A HOLD names all factors that
    are missing, and carries the obligations of the permit to come, so that the person can be shown
    what will be sent. A yes counts while the policies that asked and those that would then permit
    are the same; what others say does not matter.
    """

    id = "policy.cedar"
    needs = NEEDS

    def __init__(self, bundle: PolicyBundle) -> None:
        self._bundle = bundle
        self._authorizer = Authorizer(bundle)

    def check(self, call: Call, facts: Facts) -> Verdict:
        now, approvals = facts.get(NOW), facts.get(APPROVALS)
        request = request_of(self._bundle.mapping, call)
        if isinstance(request, Mistyped):
            return self._deny("policy.argument-type", (f"argument:{request.argument}",))
        if request is None or isinstance(now, Unknown):
            return self._deny("policy.error", ())
        answer = self._ask(call, request, _NOBODY, now.value)
        if answer.outcome == "allow":
            return self._permit(call, answer)
        asked = self._factors(answer)
        if answer.outcome == "error" or not asked:
            return self._refuse(answer)
        lifted = self._ask(call, request, asked, now.value)
        if lifted.outcome != "allow":
            return self._refuse(lifted)
        if isinstance(approvals, Unknown):
            return self._deny("approval.unknown", answer.because)
        names = (*answer.because, *lifted.because)
        grounds = self._bundle.grounds(names, call.upstream.name, call.target)
        fit = (a for a in approvals.value if a.covers(call, self.id, grounds, now.value))
        given = {a.factor: a for a in reversed(list(fit)) if a.factor in asked}
        missing = asked - given.keys()
        if not missing:
            return self._permit(call, lifted, list(given.values()))
        held = Verdict(self.id, Effect.HOLD, "approval.needed", because=answer.because,
                       factors=tuple(sorted(missing)), grounds=grounds)  # fmt: skip
        return self._obliged(held, call, lifted)

    def _ask(self, call: Call, request: Request, factors: frozenset[str], now: int) -> Answer:
        return self._authorizer.is_authorized(call.principal, call.upstream, request, factors, now)

    def _factors(self, answer: Answer) -> frozenset[str]:
        """What the determining forbids ask for; empty if any of them asks for nothing."""
        rules = self._bundle.rules
        holds = {rules[name].hold for name in answer.because}
        return _NOBODY if "" in holds else frozenset(holds)

    def _permit(self, call: Call, answer: Answer, given: Sequence[Approval] = ()) -> Verdict:
        """``given``: the approvals without which the answer would not be this."""
        because = (*answer.because, *sorted({f"approval:{a.factor}" for a in given}))
        used = tuple(sorted({a.id for a in given}))
        permit = Verdict(self.id, Effect.PERMIT, "policy.permitted", because=because, used=used)
        return self._obliged(permit, call, answer)

    def _refuse(self, answer: Answer) -> Verdict:
        if answer.outcome == "error":
            return self._deny("policy.error", answer.because)
        if not answer.because:
            return self._deny("policy.no-rule", ("default deny",))
        return self._deny("policy.denied", answer.because)

    def _deny(self, reason: str, because: tuple[str, ...]) -> Verdict:
        return Verdict(self.id, Effect.DENY, reason, because=because)

    def _obliged(self, verdict: Verdict, call: Call, answer: Answer) -> Verdict:
        """With the drops that the permits demand; denied where one could miss its argument."""
        rules = self._bundle.rules
        pointers = sorted({p for name in answer.because for p in rules[name].drop})
        if not pointers:
            return verdict
        missed = [p for p in pointers if drops.misses(call.decoded, p)]
        if missed:
            return self._deny("policy.argument-type", tuple(f"drop:{p}" for p in missed))
        owed = tuple(Obligation("drop", p) for p in pointers if drops.holds(call.decoded, p))
        return replace(verdict, obligations=owed)
