"""``make check``: every check that runs no test, two at a time, slowest first.

Says one line a check; the output of one that fails follows it.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

CHECKS: dict[str, tuple[str, ...]] = {
    "types (mypy --strict)": (f"{BIN}/mypy", "--strict"),
    "import contracts": (f"{BIN}/lint-imports",),
    "lint (ruff)": (f"{BIN}/ruff", "check", "--output-format=concise", "."),
    "format (ruff)": (f"{BIN}/ruff", "format", "--check", "."),
    "ratchets": (sys.executable, "-m", "checks"),
    "documents are fresh": (sys.executable, "-m", "scripts.make_docs", "--check"),
}


class Outcome(NamedTuple):
    name: str
    passed: bool
    seconds: float
    output: str


def run(name: str) -> Outcome:
    """Runs one check of ``CHECKS``."""
    started = time.monotonic()
    done = subprocess.run(
        CHECKS[name],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}/src"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Outcome(name, done.returncode == 0, time.monotonic() - started, done.stdout)


def main() -> int:
    failed = []
    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2)) as pool:
        for future in as_completed([pool.submit(run, name) for name in CHECKS]):
            outcome = future.result()
            word = "ok  " if outcome.passed else "FAIL"
            print(f"{word} {outcome.name} ({outcome.seconds:.1f} s)", flush=True)
            if not outcome.passed:
                failed.append(outcome.name)
                print("".join(f"     {line}\n" for line in outcome.output.splitlines()), end="")
    print(f"{len(CHECKS) - len(failed)} of {len(CHECKS)} checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
