"""What a run was measured on, so that its figures can be compared with others."""

import os
import platform
import sysconfig
import time
from pathlib import Path

import msgspec

_WORK = 60_000
_TRIES = 12


class Machine(msgspec.Struct, frozen=True):
    """No names, no paths."""

    cpu: str
    cores: int
    memory_gib: int
    kernel: str
    python: str
    optimised: bool
    """Whether this Python was built with profile-guided optimisation, which is worth a quarter."""


def here() -> Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        _cpu(),
        os.cpu_count() or 1,
        round(memory / 2**30),
        platform.release(),
        f"{platform.python_implementation()} {platform.python_version()}",
        "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
    )


def calibration() -> float:
    """Microseconds of CPU for some fixed work of the interpreter, at this machine's best just now.
    Figures of two runs are compared by it: a machine that is shared is not always as fast."""
    best = float("inf")
    for _ in range(_TRIES):
        began = time.process_time()
        table: dict[int, int] = {}
        for number in range(_WORK):
            table[number & 255] = table.get(number & 127, 0) + number
        best = min(best, time.process_time() - began)
    return 1e6 * best


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
