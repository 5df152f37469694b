"""Is it slower than the baseline, beyond noise?"""

from collections.abc import Iterator

import msgspec

from bench.rounds import FIRST, Result
from bench.statistics import Summary, noise, worse_by

_WATCHED = {"cpu_us": False, "rate": True, FIRST: False}
"""Figure, and whether more of it is better."""


class Difference(msgspec.Struct, frozen=True):
    arm: str
    cell: str
    figure: str
    before: float
    now: float
    """As measured."""
    worse: float
    """Share, with the machine's own change of speed taken out."""
    allowed: float

    @property
    def is_regression(self) -> bool:
        return self.worse > self.allowed


def differences(before: Result, now: Result, prefix: str = "lockgate") -> tuple[Difference, ...]:
    """Of every figure that both have, for arms whose name begins with ``prefix``.

    Costs and rates are scaled by the calibration, so that a machine that is slower today is not
    called a regression. A rate at a fixed arrival rate says nothing and is left out.
    """
    return tuple(_differences(before, now, prefix))


def _differences(before: Result, now: Result, prefix: str) -> Iterator[Difference]:
    scale = now.calibration_us / before.calibration_us
    for arm, cell, figure, new in _figures(now):
        old = before.figures.get(arm, {}).get(cell, {}).get(figure)
        if old is None or not arm.startswith(prefix) or figure not in _WATCHED:
            continue
        if cell.startswith("open") and figure == "rate":
            continue
        more = _WATCHED[figure]
        worse = worse_by(old, new, more_is_better=more, scale=scale)
        yield Difference(arm, cell, figure, old.median, new.median, worse, noise(old, new))


def _figures(result: Result) -> Iterator[tuple[str, str, str, Summary]]:
    for arm, cells in result.figures.items():
        for cell, found in cells.items():
            for figure, value in found.items():
                yield arm, cell, figure, value
