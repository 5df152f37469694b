"""What a running gateway holds, from outside (/proc) and inside (``inside/sitecustomize.py``)."""

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

from support.gateway import Gateway
from support.processes import alive

_WAIT = 3.0
_PAUSE = 0.05

Series = dict[str, list[float]]


class Sampler:
    """``folder``: where the processes of the gateway write about themselves."""

    def __init__(self, gate: Gateway, folder: Path) -> None:
        self.series: Series = {}
        self.kinds: Counter[str] = Counter()
        """Tasks at the last sample, by what they run."""
        self.held: dict[str, int] = {}
        self.cpu: list[float] = []
        """Seconds of CPU of the gateway's own processes, so far."""
        self._gate = gate
        self._folder = folder

    def sample(self) -> dict[str, float]:
        """One look. Blocks for some milliseconds."""
        children = self._gate.children()
        workers = [self._gate.pid, *sorted(pid for pid in children if _is_gateway(pid))]
        inside = [said for pid in workers if (said := self._ask(pid))]
        found: dict[str, float] = {
            "rss_mib": sum(_status(pid, "VmRSS") for pid in workers) / 1024,
            "descriptors": sum(_descriptors(pid) for pid in workers),
            "threads": sum(_status(pid, "Threads") for pid in workers),
            "children": len(children) - len(workers) + 1,
            "tasks": sum(said["tasks"] for said in inside),
            "backlog": sum(said["held"].get("GroupCommitJournal", 0) for said in inside),
        }
        for what, value in found.items():
            self.series.setdefault(what, []).append(value)
        self.kinds = sum((Counter(said["kinds"]) for said in inside), Counter())
        names = {name for said in inside for name in said["held"]}
        self.held = {name: sum(said["held"].get(name, 0) for said in inside) for name in names}
        self.cpu.append(sum(_cpu(pid) for pid in workers))
        return found

    def _ask(self, pid: int) -> dict[str, Any] | None:
        """What that process says of its event loop; None where it does not say in time."""
        if not _hears(pid):
            return None
        place = self._folder / str(pid)
        before = place.stat().st_size if place.exists() else 0
        try:
            os.kill(pid, signal.SIGUSR1)
        except ProcessLookupError:
            return None
        ends = time.monotonic() + _WAIT
        while time.monotonic() < ends and alive(pid):
            text = place.read_text() if place.exists() else ""
            if len(text) > before and text.endswith("\n"):
                said: dict[str, Any] = json.loads(text.splitlines()[-1])
                return said
            time.sleep(_PAUSE)
        return None


def _is_gateway(pid: int) -> bool:
    try:
        said = Path(f"/proc/{pid}/cmdline").read_bytes()
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return b"SOAK_SAMPLES=" in environment and b"lockgate" in said and b"keeper.py" not in said


def _hears(pid: int) -> bool:
    """It handles SIGUSR1, which would end it otherwise (proc(5), ``SigCgt``)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    caught = next((line.split()[1] for line in lines if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (signal.SIGUSR1 - 1) & 1)


def _status(pid: int, which: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{which}:")), 0)


def _descriptors(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def _cpu(pid: int) -> float:
    try:
        said = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(said[11]) + int(said[12])) / os.sysconf("SC_CLK_TCK")
