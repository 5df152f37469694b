"""Does the cost grow with what is configured, or with what has been recorded?"""

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench.arm import FastUpstream, first_answer, measure, plan
from bench.load import Measured
from bench.lockgate import Lockgate

UPSTREAMS = (1, 5, 10, 25, 50)
POLICIES = (20, 100, 250, 500)
ROWS_STEP = 10_000
"""Calls between two points; each leaves two rows."""


class Point(msgspec.Struct, frozen=True):
    at: int
    cpu_us: float
    rate: float
    resident_mib: float


class Curve(msgspec.Struct, frozen=True):
    name: str
    points: tuple[Point, ...]

    @property
    def growth(self) -> float:
        """Cost of the last point over that of the first."""
        return self.points[-1].cpu_us / self.points[0].cpu_us


class Curves:
    """``cores``: of the gateway and of the load."""

    def __init__(self, fast: FastUpstream, place: Path, cores: tuple[int, int]) -> None:
        self._fast = fast
        self._place = place
        self._cores = cores

    def upstreams(self, seconds: float, rounds: int) -> Curve:
        points = (self._median(n, 20, seconds, rounds) for n in UPSTREAMS)
        return Curve("upstreams", tuple(_at(n, p) for n, p in zip(UPSTREAMS, points, strict=True)))

    def policies(self, seconds: float, rounds: int) -> Curve:
        points = (self._median(1, n, seconds, rounds) for n in POLICIES)
        return Curve("policies", tuple(_at(n, p) for n, p in zip(POLICIES, points, strict=True)))

    def calls(self, most: int) -> Curve:
        """One process, ``most`` calls: cost and memory as the journal fills."""
        with_journal = list(self._run(1, 20, [ROWS_STEP] * (most // ROWS_STEP)))
        points = (
            Point(ROWS_STEP * (number + 1), told.cpu_us, told.rate, told.resident / 2**20)
            for number, told in enumerate(with_journal)
        )
        return Curve("calls", tuple(points))

    def _median(self, upstreams: int, policies: int, seconds: float, rounds: int) -> Measured:
        told = [next(self._run(upstreams, policies, [0], seconds)) for _ in range(rounds)]
        return sorted(told, key=lambda one: one.cpu_us)[len(told) // 2]

    def _run(
        self, upstreams: int, policies: int, calls: Sequence[int], seconds: float = 0.0
    ) -> Iterator[Measured]:
        """As many loads, one after the other, on one gateway. Raises ``Failed``."""
        place = self._place / "curve"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        arm = Lockgate(
            self._fast, sys.executable, self._cores[0], upstreams=upstreams, policies=policies
        )
        told: list[Measured] = []
        try:
            target = arm.start(place)
            first_answer(target, 60.0)
            for count in calls:
                warm = 0.0 if count else 1.0
                what = plan(target, connections=32, calls=count, seconds=seconds, warm_seconds=warm)
                told.append(measure(what, self._cores[1], sys.executable))
        finally:
            arm.stop()
        arm.verify(1 + sum(one.sent for one in told))
        shutil.rmtree(place)
        yield from told


def _at(number: int, told: Measured) -> Point:
    return Point(number, told.cpu_us, told.rate, told.resident / 2**20)


def rows(curves: Sequence[Curve]) -> list[tuple[str, ...]]:
    head = ("curve", "at", "CPU us", "calls/s", "MiB")
    found: list[tuple[str, ...]] = [head]
    for curve in curves:
        found += [
            (curve.name, f"{p.at:,}", f"{p.cpu_us:,.0f}", f"{p.rate:,.0f}", f"{p.resident_mib:.0f}")
            for p in curve.points
        ]
    return found
