"""Numbers from rounds: medians, how far they spread, and whether a change is more than noise."""

import math
from collections.abc import Sequence
from statistics import median

import msgspec

FLOOR = 0.08
"""Differences below this share are never called a change: machines that are shared are not that
steady."""
WIDTH = 1.5
"""How many spreads (of both sides together) a difference must exceed."""


class Summary(msgspec.Struct, frozen=True):
    """One figure over all rounds."""

    median: float
    spread: float
    """Half the distance from the smallest to the largest round, as a share of the median."""
    rounds: tuple[float, ...]


def summary(values: Sequence[float]) -> Summary:
    """Raises ``ValueError`` for no values."""
    if not values:
        raise ValueError("no round was measured")
    middle = median(values)
    half = (max(values) - min(values)) / 2
    return Summary(middle, half / middle if middle else 0.0, tuple(values))


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of values in ascending order, by nearest rank. Raises ``ValueError`` for none."""
    if not ordered:
        raise ValueError("nothing was measured")
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def noise(before: Summary, now: Summary) -> float:
    """The share by which the two may differ without meaning anything: ``FLOOR``, or ``WIDTH`` times
    both spreads together where that is more."""
    return max(FLOOR, WIDTH * (before.spread + now.spread))


def worse_by(before: Summary, now: Summary, *, more_is_better: bool, scale: float = 1.0) -> float:
    """By which share ``now`` is worse; negative where it is better.

    ``scale``: how much longer than then this machine now takes for the same work.
    """
    cost_before = 1 / before.median if more_is_better else before.median
    cost_now = 1 / now.median if more_is_better else now.median
    return cost_now / scale / cost_before - 1
