"""What approved questions are as a fact about one call."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from lockgate.approval.approvers import Approvers
from lockgate.approval.engine import satisfied
from lockgate.model import Approval
from lockgate.model.inquiry import Asked, Need


def approvals_of(standing: Sequence[Asked], approvers: Approvers, now: int) -> tuple[Approval, ...]:
    """One approval for each factor of each question that is still good. Raises ``StoreDown``."""
    return tuple(a for asked in standing if still_good(asked, approvers, now) for a in _of(asked))


def still_good(asked: Asked, approvers: Approvers, now: int) -> bool:
    """Whether those who said yes may still say it, and are as many as it takes now: whoever lost
    the role since, or left, has said nothing; so has whoever answers now for another of them."""
    one = asked.inquiry
    yes = approvers.distinct(asked.votes)
    voices = {v.voter: approvers.voice(v.voter, one, now, v.alias) for v in yes}
    as_now = [replace(v, by_delegation=voices[v.voter].by) for v in yes]
    held = [voices[v.voter].factors & set(v.factors) for v in approvers.distinct(as_now)]
    rules = approvers.rules
    needs = [Need(n.factor, max(n.count, rules.of(n.factor).count)) for n in one.needs]
    return satisfied(needs, held)


def _of(asked: Asked) -> Iterator[Approval]:
    one = asked.inquiry
    if one.binding is None:
        return
    yes = tuple(v.voter for v in asked.votes if v.answer == "yes")
    for need in one.needs:
        yield Approval(one.id, one.binding, need.factor, yes, one.expires, one.scope)
