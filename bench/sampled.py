"""Runs ``lockgate`` and samples where its main thread spends CPU: ``OUT lockgate arguments``.

SIGUSR1 begins, SIGUSR2 writes what was seen. Each sample weighs as much CPU as the main thread used
since the last one, so that the time of other threads is not laid at its door.
"""

import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

import orjson

from lockgate.app.main import main

INTERVAL = 0.002
"""Seconds of CPU between two samples."""
_DEEPEST = 80
_TICKS = os.sysconf("SC_CLK_TCK")


class Sampler:
    def __init__(self, out: Path) -> None:
        self._out = out
        self._stacks: Counter[str] = Counter()
        self._last = 0.0
        self._before: dict[str, float] = {}

    def begin(self, _number: int, _frame: FrameType | None) -> None:
        self._last = time.thread_time()
        self._before = threads()
        signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)

    def sample(self, _number: int, frame: FrameType | None) -> None:
        now = time.thread_time()
        self._stacks[";".join(stack_of(frame))] += int(1e9 * (now - self._last))
        self._last = now

    def end(self, _number: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        used = {n: t - self._before.get(n, 0.0) for n, t in threads().items()}
        self._out.write_bytes(orjson.dumps({"stacks": dict(self._stacks), "threads": used}))


def stack_of(frame: FrameType | None) -> list[str]:
    """``path:function`` of each frame, outermost first."""
    found: list[str] = []
    while frame is not None and len(found) < _DEEPEST:
        code = frame.f_code
        found.append(f"{short(code.co_filename)}:{code.co_name}")
        frame = frame.f_back
    return found[::-1]


def short(path: str) -> str:
    """From the package on."""
    for mark in ("/lockgate/", "/site-packages/"):
        before, found, after = path.rpartition(mark)
        if found and before:
            return ("lockgate/" if mark == "/lockgate/" else "") + after
    return "/".join(path.split("/")[-2:])


def threads() -> dict[str, float]:
    """CPU seconds of each thread; those that Python does not know go by their own names."""
    known = {t.native_id: t.name for t in threading.enumerate()}
    found: Counter[str] = Counter()
    for task in os.listdir("/proc/self/task"):
        try:
            said = Path(f"/proc/self/task/{task}/stat").read_text()
        except FileNotFoundError:
            continue
        own, _, rest = said.partition("(")[2].rpartition(")")
        fields = rest.split()
        seconds = (int(fields[11]) + int(fields[12])) / _TICKS
        found[known.get(int(task), own)] += seconds  # type: ignore[assignment]
    return dict(found)


if __name__ == "__main__":
    sampler = Sampler(Path(sys.argv.pop(1)))
    signal.signal(signal.SIGPROF, sampler.sample)
    signal.signal(signal.SIGUSR1, sampler.begin)
    signal.signal(signal.SIGUSR2, sampler.end)
    main()
