"""One input through a target: what it raises is kept, and so is what takes too long."""

import hashlib
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType

Target = Callable[[bytes], None]

FOLDER = Path(__file__).parent
SEEDS = FOLDER / "seeds"
KEPT = FOLDER.parent / ".fuzz"
"""Findings and the grown corpus. Not part of the project: what is worth it becomes a seed."""
SECONDS = 1.0
"""Of CPU, for one input."""


class Hangs(BaseException):
    """One input took more than ``SECONDS``. No ``Exception``: nothing may catch it."""


class Watch:
    """Runs a target and counts. A finding is written to ``KEPT`` and raised."""

    def __init__(self, name: str, target: Target) -> None:
        self.name = name
        self.inputs = 0
        self.slowest = 0.0
        self._target = target
        self._began = time.monotonic()
        signal.signal(signal.SIGVTALRM, _hang)

    def run(self, data: bytes) -> None:
        self.inputs += 1
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        with _Stopwatch(self, data):
            self._target(data)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def report(self) -> str:
        rate = self.inputs / max(self.seconds, 1e-9)
        return (
            f"{self.name}: {self.inputs} inputs in {self.seconds:.0f} s, {rate:.0f} a second, "
            f"slowest {self.slowest * 1e3:.0f} ms"
        )


class _Stopwatch:
    def __init__(self, watch: Watch, data: bytes) -> None:
        self._watch, self._data = watch, data
        self._start = time.thread_time()

    def __enter__(self) -> None:
        """Nothing to set up."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        took = time.thread_time() - self._start
        self._watch.slowest = max(self._watch.slowest, took)
        if failure is not None and not isinstance(failure, KeyboardInterrupt | SystemExit):
            keep(self._watch.name, self._data, failure)
        elif took > SECONDS:  # in native code, where no signal is heard
            late = Hangs(f"{took:.1f} s")
            keep(self._watch.name, self._data, late)
            raise late


def keep(name: str, data: bytes, failure: BaseException) -> Path:
    """Write an input and what it led to. Returns where."""
    folder = KEPT / "findings" / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(data).hexdigest()[:16]}.seed"
    path.write_bytes(data)
    told = "".join(traceback.format_exception(failure))
    path.with_suffix(".txt").write_text(told, errors="backslashreplace")
    return path


def seeds_of(name: str) -> list[Path]:
    return sorted((SEEDS / name).glob("*.seed"))


def _hang(_number: int, _frame: FrameType | None) -> None:
    raise Hangs(f"more than {SECONDS:g} s")
