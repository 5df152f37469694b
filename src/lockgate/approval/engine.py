"""What each step makes of a question. Pure: the same question, votes and time, the same answer.

Any no ends it; a yes counts once, for one factor, and only while whoever gave it may still give it.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Literal

from msgspec.structs import replace

from lockgate.model.inquiry import Asked, Inquiry, InquiryState, Need, Vote

Fault = Literal[
    "approval.gone", "approval.other-digest", "approval.own", "approval.not-asked",
    "approval.voted",
]  # fmt: skip
"""Why an answer is not taken."""


class Refusal(Exception):
    """Carries the reason code."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault: Fault = fault


def vote(asked: Asked, given: Vote, *, own: bool, standing: Mapping[str, Set[str]]) -> Asked:
    """The question once ``given`` is said. ``own``: the voter is among the excluded, by whatever
    name: then only told another reason. ``standing``: for each identity that said yes before, the
    factors it may still speak for.

    Raises ``Refusal``.
    """
    one = asked.inquiry.at(given.at)
    _check(one, given, own=own, before=asked.votes)
    votes = (*asked.votes, given)
    if given.answer != "yes":
        ended: InquiryState = "vetoed" if given.answer == "veto" else "denied"
        why = "approval.vetoed" if ended == "vetoed" else "approval.denied"
        return Asked(_end(one, ended, given.at, why), votes)
    held = {**standing, given.voter: frozenset(given.factors)}
    counted = [v for v in _last(votes) if v.answer == "yes"]
    speaking = [frozenset(v.factors) & held.get(v.voter, frozenset()) for v in counted]
    if not satisfied(one.needs, speaking):
        return Asked(_next(one), votes)
    return Asked(_next(one, state="approved", decided=given.at, expires=given.at + one.window),
                 votes)  # fmt: skip


def satisfied(needs: Sequence[Need], voters: Sequence[Set[str]]) -> bool:
    """Whether each needed yes can be another person's. ``voters``: the factors each may speak for.

    A bipartite matching by augmenting paths: greedy choice could give one person to the factor that
    somebody else could have filled.
    """
    places = [need.factor for need in needs for _ in range(need.count)]
    filled: dict[int, int] = {}

    def fill(place: int, tried: set[int]) -> bool:
        for voter, factors in enumerate(voters):
            if voter in tried or places[place] not in factors:
                continue
            tried.add(voter)
            if voter not in filled or fill(filled[voter], tried):
                filled[voter] = place
                return True
        return False

    return bool(places) and all(fill(place, set()) for place in range(len(places)))


def missing(asked: Asked, standing: Mapping[str, Set[str]]) -> tuple[Need, ...]:
    """The factors that still wait for somebody, and for how many. For showing."""
    yes = [v for v in _last(asked.votes) if v.answer == "yes"]
    given = [frozenset(v.factors) & standing.get(v.voter, frozenset()) for v in yes]
    left = []
    for need in asked.inquiry.needs:
        have = sum(need.factor in factors for factors in given)
        if have < need.count:
            left.append(Need(need.factor, need.count - have))
    return tuple(left)


def cancel(one: Inquiry, now: int) -> Inquiry:
    """By whoever asked. Raises ``Refusal``."""
    return _end(_live(one, now), "cancelled", now, "approval.cancelled")


def revoke(one: Inquiry, now: int, why: str = "approval.revoked") -> Inquiry:
    """A yes is taken back before it was used. Raises ``Refusal``."""
    if _live(one, now).state != "approved":
        raise Refusal("approval.gone")
    return _end(one, "revoked", now, why)


def supersede(one: Inquiry, now: int, why: str = "approval.superseded") -> Inquiry:
    """What was asked cannot be done any more as it was asked, or another question replaces it.
    Raises ``Refusal``."""
    return _end(_live(one, now), "superseded", now, why)


def finish(one: Inquiry, now: int, *, why: str, good: bool) -> Inquiry:
    """It was used, and this came of it. Raises ``Refusal``."""
    if one.state != "used":
        raise Refusal("approval.gone")
    return _end(one, "succeeded" if good else "failed", now, why)


def _check(one: Inquiry, given: Vote, *, own: bool, before: Sequence[Vote]) -> None:
    stopping = given.answer == "veto"
    if one.state != "pending" and not (stopping and one.state == "approved"):
        raise Refusal("approval.gone")
    if given.digest != one.digest:
        raise Refusal("approval.other-digest")
    if stopping:
        return
    if not given.factors:
        raise Refusal("approval.own" if own else "approval.not-asked")
    if given.answer == "yes" and any(v.voter == given.voter for v in before):
        raise Refusal("approval.voted")


def _live(one: Inquiry, now: int) -> Inquiry:
    found = one.at(now)
    if found.state not in ("pending", "approved"):
        raise Refusal("approval.gone")
    return found


def _last(votes: Sequence[Vote]) -> list[Vote]:
    return list({v.voter: v for v in votes}.values())


def _end(one: Inquiry, state: InquiryState, now: int, why: str) -> Inquiry:
    return _next(one, state=state, ended=now, reason=why)


def _next(one: Inquiry, **changes: object) -> Inquiry:
    return replace(one, version=one.version + 1, **changes)
