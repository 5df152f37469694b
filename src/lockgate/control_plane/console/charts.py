"""Pictures as numbers: what a template draws as SVG. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

WIDTH, HEIGHT = 720, 150
"""Of the picture, in its own units."""
_BOTTOM = HEIGHT - 20
_TOP = 14
_ROUND = (1, 2, 5)


class Bar(msgspec.Struct, frozen=True):
    x: float
    y: float
    width: float
    height: float
    kind: str


class Mark(msgspec.Struct, frozen=True):
    x: float
    """In hundredths of the width: what is written is not stretched with the bars."""
    text: str


class Stacked(msgspec.Struct, frozen=True):
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    """Of the hours."""
    most: int
    """What the top stands for."""
    bottom: int = _BOTTOM
    top: int = _TOP


def stacked(per_bucket: Mapping[str, Sequence[int]], since: int, step: int) -> Stacked:
    """One bar a bucket; its parts from the bottom up in the order of ``per_bucket``."""
    count = max(map(len, per_bucket.values()))
    totals = [sum(parts[n] for parts in per_bucket.values()) for n in range(count)]
    most, wide = rounded_up(max(totals)), WIDTH / count
    bars: list[Bar] = []
    for number in range(count):
        bottom = float(_BOTTOM)
        for kind, parts in per_bucket.items():
            if parts[number]:
                high = max(1.5, parts[number] / most * (_BOTTOM - _TOP))
                bottom -= high
                bars.append(Bar(round(number * wide + 1, 1), round(bottom, 1), round(wide - 2, 1),
                                round(high, 1), kind))  # fmt: skip
    starts = ((100 * number / count, since + number * step) for number in range(count))
    marks = tuple(Mark(round(x, 1), _clock(at)) for x, at in starts if at % 3_600_000 == 0)
    return Stacked(tuple(bars), marks, most)


def rounded_up(count: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50 ..."""
    size = 1
    while True:
        for one in _ROUND:
            if one * size >= count:
                return one * size
        size *= 10


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%H:%M")
