"""Which of the fourteen steps costs what: a sampled run of the real process."""

import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bench import flame, steps
from bench.arm import Failed, FastUpstream, first_answer, measure, plan
from bench.lockgate import Lockgate
from bench.report import aligned

_WAIT_SECONDS = 10.0


class Budget(msgspec.Struct, frozen=True):
    stacks: Mapping[str, int]
    """Nanoseconds of the main thread's CPU."""
    threads: Mapping[str, float]
    """CPU seconds of each thread."""
    calls: int


def sampled(
    fast: FastUpstream, place: Path, cores: tuple[int, int], size: int, seconds: float
) -> Budget:
    """``cores``: of the gateway and of the load. Raises ``Failed``."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    out = place / "samples.json"
    program = ("-m", "bench.sampled", str(out))
    arm = Lockgate(fast, sys.executable, cores[0], wrapped=program)
    try:
        target = arm.start(place)
        first_answer(target, 60.0)
        warm = plan(target, size=size, connections=32, seconds=1.0)
        sent = 1 + measure(warm, cores[1], sys.executable).sent
        os.kill(target.watched, signal.SIGUSR1)
        load = plan(target, size=size, connections=32, seconds=seconds, warm_seconds=0.0)
        counted = measure(load, cores[1], sys.executable).sent
        os.kill(target.watched, signal.SIGUSR2)
        said = _awaited(out)
    finally:
        arm.stop()
    arm.verify(sent + counted)
    return Budget(said.stacks, said.threads, counted)


class _Samples(msgspec.Struct, frozen=True):
    stacks: dict[str, int]
    threads: dict[str, float]


def _awaited(out: Path) -> _Samples:
    ends, pause = time.monotonic() + _WAIT_SECONDS, select.poll()
    while time.monotonic() < ends:
        if out.exists() and out.stat().st_size:
            return msgspec.json.decode(out.read_bytes(), type=_Samples)
        pause.poll(20)
    raise Failed("the sampler wrote nothing")


def table(budget: Budget) -> str:
    rows = [
        ("step", "what", "us a call", "of the main thread"),
        *steps.rows(budget.stacks, budget.calls),
    ]
    others = [
        (name, "thread", f"{1e6 * used / max(1, budget.calls):.1f}", "")
        for name, used in sorted(budget.threads.items(), key=lambda item: -item[1])
        if used > 0
    ]
    hot = [
        ("hot", frame, f"{spent / 1e3 / max(1, budget.calls):.1f}", "")
        for frame, spent in steps.hottest(budget.stacks, 40)
    ]
    return "\n\n".join(map(aligned, (rows, others or [("-", "-", "-", "-")], hot)))


def graph(budget: Budget, title: str) -> str:
    return flame.svg(budget.stacks, title)
