"""``make fuzz ARGS="--target edit --runs 1000000"``: each target in a process of its own, one after
another, coverage-guided where atheris is to be had."""

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from fuzz.targets import TARGETS
from fuzz.watch import KEPT

ROOT = Path(__file__).parent.parent
PATHS = os.pathsep.join(str(ROOT / folder) for folder in ("src", "tests", "."))


def main() -> int:
    """Prints one line a target. The exit status is the number of targets with a finding."""
    guided = importlib.util.find_spec("atheris") is not None
    options = argparse.ArgumentParser(prog="make fuzz")
    options.add_argument("--target", action="append", choices=sorted(TARGETS), help="all without")
    options.add_argument("--runs", type=int, default=20_000, help="inputs a target")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--engine", choices=("guided", "unguided"),
                         default="guided" if guided else "unguided")  # fmt: skip
    chosen = options.parse_args()
    failed = [
        name
        for name in chosen.target or sorted(TARGETS)
        if not _passes(name, chosen.engine, chosen.runs, chosen.seed)
    ]
    if failed:
        print(f"findings in {', '.join(failed)}: see {KEPT / 'findings'}")
    return len(failed)


def _passes(name: str, engine: str, runs: int, seed: int) -> bool:
    """Run one target. What it says is shown where it finds something."""
    done = subprocess.run(
        [sys.executable, "-m", f"fuzz.{engine}", name, str(runs), str(seed)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": PATHS},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    said = done.stdout.decode(errors="replace").splitlines()
    told = [line for line in said if line.startswith(f"{name}: ")]
    print("\n".join(told if done.returncode == 0 else said[-60:]), flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
