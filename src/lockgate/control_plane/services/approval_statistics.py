"""How asking people works out: in aggregate, never a ranking of people.

A group is told of by itself only where enough questions and enough people are in it, so that no
figure is about one of them; smaller ones are folded together.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil

import msgspec

from lockgate.approval.ports import InquiryStore
from lockgate.approval.rules import ApprovalRules
from lockgate.model.inquiry import Asked, InquiryState

FEWEST = 5
"""Questions, and people who answered (or asked, where nobody answered), in a group."""
UNREAD_MS = 5_000
"""Answered sooner, it was not read."""
MOST = 10_000
"""Questions, the newest."""
FOLDED = "others"
_YES: frozenset[InquiryState] = frozenset({"approved", "used", "succeeded", "failed", "revoked"})
_NO: frozenset[InquiryState] = frozenset({"denied", "vetoed"})


class Figures(msgspec.Struct, frozen=True):
    """Of one group. None: there is nothing to say it of, or of too few people."""

    questions: int
    states: Mapping[str, int]
    escalated: int
    """Waited until others could answer too, by the rules as they are now."""
    median_ms: int | None = None
    """From the question to the answer that decided it."""
    p90_ms: int | None = None
    approved: float | None = None
    """Share of the decided."""
    expired: float | None = None
    """Share that nobody decided in time, of all that is over."""
    unread: float | None = None
    """Share of answers that came within ``UNREAD_MS``."""


class Statistics(msgspec.Struct, frozen=True):
    since: int
    """Milliseconds since the Unix epoch."""
    whole: Figures
    factors: Mapping[str, Figures]
    tools: Mapping[str, Figures]
    """By title: ``clinic/update_prescription``."""
    cut: bool = False
    """There was more than ``MOST``."""


def statistics(store: InquiryStore, rules: ApprovalRules, since: int, now: int) -> Statistics:
    """Raises ``StoreDown``."""
    read = store.listed(most=MOST)
    found = [Asked(a.inquiry.at(now), a.votes) for a in read if a.inquiry.created >= since]
    figures = _Figuring(rules, now)
    return Statistics(
        since,
        figures.of(found),
        figures.by(found, lambda asked: [need.factor for need in asked.inquiry.needs]),
        figures.by(found, lambda asked: [asked.inquiry.title]),
        cut=len(read) == MOST and len(found) == MOST,
    )


class _Figuring:
    def __init__(self, rules: ApprovalRules, now: int) -> None:
        self._rules = rules
        self._now = now

    def by(
        self, found: Sequence[Asked], names: Callable[[Asked], Iterable[str]]
    ) -> dict[str, Figures]:
        groups: dict[str, list[Asked]] = {}
        for asked in found:
            for name in names(asked):
                groups.setdefault(name, []).append(asked)
        large = {name: group for name, group in groups.items() if _enough(group)}
        small = {a.inquiry.id: a for name, group in groups.items() if name not in large
                 for a in group}  # fmt: skip
        shown = {name: self.of(group) for name, group in sorted(large.items())}
        return shown | ({FOLDED: self.of([*small.values()])} if small else {})

    def of(self, group: Sequence[Asked]) -> Figures:
        states = Counter(asked.inquiry.state for asked in group)
        escalated = sum(map(self._escalated, group))
        counted = Figures(len(group), dict(sorted(states.items())), escalated)
        if not _enough(group):
            return counted
        took = sorted(took for asked in group if (took := _took(asked)) is not None)
        decided = [asked for asked in group if _decided(asked)]
        yes = sum(asked.inquiry.state not in _NO for asked in decided)
        lapsed = sum(_lapsed(asked) for asked in group)
        votes = [v.at - a.inquiry.created < UNREAD_MS for a in group for v in a.votes]
        return msgspec.structs.replace(
            counted,
            median_ms=_at(took, 0.5),
            p90_ms=_at(took, 0.9),
            approved=_share(yes, len(decided)),
            expired=_share(lapsed, len(decided) + lapsed),
            unread=_share(sum(votes), len(votes)),
        )

    def _escalated(self, asked: Asked) -> bool:
        one = asked.inquiry
        took = _took(asked)
        waited = took if took is not None else min(self._now, one.ended or self._now) - one.created
        rules = (self._rules.of(need.factor) for need in one.needs)
        return any(r.escalate_to and 0 < r.escalate_after <= waited for r in rules)


def _enough(group: Sequence[Asked]) -> bool:
    """Where one person answers for many who ask, every figure would be about that one."""
    asked = {a.inquiry.holder for a in group}
    answered = {v.voter for a in group for v in a.votes}
    return len(group) >= FEWEST and len(answered or asked) >= FEWEST


def _decided(asked: Asked) -> bool:
    """Also what was approved and then not used in time."""
    one = asked.inquiry
    return one.state in _YES | _NO or bool(one.decided)


def _lapsed(asked: Asked) -> bool:
    return asked.inquiry.state == "expired" and not asked.inquiry.decided


def _took(asked: Asked) -> int | None:
    one = asked.inquiry
    if one.decided:
        return one.decided - one.created
    return one.ended - one.created if one.state in _NO else None


def _at(sorted_: Sequence[int], part: float) -> int | None:
    """The nearest rank."""
    return sorted_[ceil(part * len(sorted_)) - 1] if sorted_ else None


def _share(some: int, all_: int) -> float | None:
    return round(some / all_, 3) if all_ else None
