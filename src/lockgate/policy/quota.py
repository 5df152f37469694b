"""So many calls a minute, and so many at once, for each principal."""

from typing import Any

from lockgate.model import QUOTA, Call, Effect, FactKey, Facts, Unknown, Verdict

_WITHIN = Verdict("policy.quota", Effect.PERMIT, "quota.within")


class Quota:
    """Judges the reservation that gathering already took; a failed one reserved nothing."""

    id = "policy.quota"
    needs: frozenset[FactKey[Any]] = frozenset({QUOTA})

    def check(self, call: Call, facts: Facts) -> Verdict:
        if call.principal.kind == "system":
            return Verdict(self.id, Effect.PERMIT, "quota.exempt")
        fact = facts.get(QUOTA)
        if isinstance(fact, Unknown):
            return Verdict(self.id, Effect.DENY, "quota.unknown")
        taken = fact.value
        if not taken.rate_ok:
            limit = f"limit:{taken.limit_per_minute}/minute"
            return Verdict(self.id, Effect.DENY, "quota.exceeded", because=(limit,),
                           retry_after_ms=taken.retry_after_ms)  # fmt: skip
        if not taken.running_ok:
            limit = f"limit:{taken.limit_running} running"
            return Verdict(self.id, Effect.DENY, "quota.concurrency", because=(limit,))
        return _WITHIN
