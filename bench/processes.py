"""Processes on a core of their own, and what they use."""

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

END_SECONDS = 30.0


def cores() -> tuple[int, int]:
    """One for what is measured, one for all else. The same where there is only one."""
    here = sorted(os.sched_getaffinity(0))
    return here[-1], here[0]


def start(
    command: Sequence[str],
    core: int,
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """In a session of its own, pinned to ``core``; what it says goes to ``log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command], stdin=subprocess.DEVNULL, stdout=out,
            stderr=out, start_new_session=True, env={**os.environ, **(env or {})}, cwd=cwd,
        )  # fmt: skip
    return process


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Its whole group, gently at first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        if number == signal.SIGTERM and not tree(process.pid):
            break


def tree(root: int) -> tuple[int, ...]:
    """``root`` and everything that descends from it and lives."""
    parents = {pid: _parent(pid) for pid in _all()}
    found = {root} & parents.keys()
    while more := {p for p, parent in parents.items() if parent in found} - found:
        found |= more
    return tuple(sorted(found))


def cpu_seconds(pids: Iterable[int]) -> float:
    """Used so far, by them and by children they have waited for."""
    return sum(map(_cpu, pids))


def resident_bytes(pids: Iterable[int]) -> int:
    return sum(map(_resident, pids))


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid: int) -> list[bytes]:
    """The fields after the name, or none where it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields and fields[0] not in (b"Z", b"X") else 0


def _cpu(pid: int) -> float:
    return sum(map(int, _stat(pid)[11:15])) / _TICKS


def _resident(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[21]) * _PAGE if fields else 0
