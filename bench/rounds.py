"""Interleaved rounds: each arm starts anew in each round, so that what drifts drifts for all."""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from bench import machine
from bench.arm import Arm, first_answer, measure, plan
from bench.load import Measured
from bench.statistics import Summary, summary

FIRST_SECONDS = 150.0
FIRST = "first_answer_s"

Say = Callable[[str], None]


class Cell(msgspec.Struct, frozen=True):
    """One kind of load."""

    name: str
    size: int = 600
    connections: int = 1
    rate: float = 0.0
    seconds: float = 4.0


class Result(msgspec.Struct, frozen=True):
    """``figures``: arm, cell, figure."""

    machine: machine.Machine
    calibration_us: float
    figures: Mapping[str, Mapping[str, Mapping[str, Summary]]]
    versions: Mapping[str, str] = {}

    def median(self, arm: str, cell: str, figure: str) -> float | None:
        found = self.figures.get(arm, {}).get(cell, {}).get(figure)
        return found.median if found is not None else None


class Runner:
    """``place``: where arms keep what they write. ``core``: where the load runs."""

    def __init__(self, place: Path, core: int, measured_core: int, say: Say) -> None:
        self._place = place
        self._core = core
        self._measured_core = measured_core
        self._say = say
        self._seen: dict[str, dict[str, dict[str, list[float]]]] = {}
        self._calibrations: list[float] = []

    def run(self, arms: Sequence[Arm], cells: Mapping[str, Sequence[Cell]], rounds: int) -> None:
        """``cells``: by name of the arm. Raises ``Failed`` at the first wrong answer."""
        for number in range(rounds):
            turn = number % len(arms)
            for arm in (*arms[turn:], *arms[:turn]):
                self._calibrate()
                self._one(arm, cells[arm.name], f"round {number + 1}/{rounds}")

    def result(self, versions: Mapping[str, str]) -> Result:
        figures = {
            arm: {
                cell: {name: summary(values) for name, values in found.items()}
                for cell, found in by_cell.items()
            }
            for arm, by_cell in self._seen.items()
        }
        calibration = sorted(self._calibrations)[len(self._calibrations) // 2]
        return Result(machine.here(), calibration, figures, versions)

    def _one(self, arm: Arm, cells: Iterable[Cell], where: str) -> None:
        place = self._place / "arm"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        try:
            target = arm.start(place)
            self._keep(arm.name, "start", FIRST, first_answer(target, FIRST_SECONDS))
            sent = 1
            for cell in cells:
                what = plan(
                    target, size=cell.size, connections=cell.connections, rate=cell.rate,
                    seconds=cell.seconds, warm_seconds=min(1.0, cell.seconds / 4),
                )  # fmt: skip
                told = measure(what, self._core, sys.executable)
                sent += told.sent
                self._take(arm.name, cell.name, told)
                self._say(f"{where}  {arm.name:20} {cell.name:14} {told.rate:8.0f}/s "
                          f"{told.cpu_us:8.0f} us  p50 {told.p50_ms:.2f} ms")  # fmt: skip
        finally:
            arm.stop()
        arm.verify(sent)
        shutil.rmtree(place)

    def _take(self, arm: str, cell: str, told: Measured) -> None:
        for name, value in figures_of(told).items():
            self._keep(arm, cell, name, value)

    def _keep(self, arm: str, cell: str, name: str, value: float) -> None:
        self._seen.setdefault(arm, {}).setdefault(cell, {}).setdefault(name, []).append(value)

    def _calibrate(self) -> None:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self._measured_core})
        try:
            self._calibrations.append(machine.calibration())
        finally:
            os.sched_setaffinity(0, before)


def figures_of(told: Measured) -> dict[str, float]:
    return {
        "rate": told.rate, "cpu_us": told.cpu_us, "p50_ms": told.p50_ms, "p99_ms": told.p99_ms,
        "resident_mib": told.resident / 2**20,
    }  # fmt: skip
