"""``python -m soak --minutes 60 --report FILE``."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from soak.run import Plan, Report, Soak, write

_SHOWN = 20


def main() -> int:
    options = _options()
    plan = Plan(options.minutes, options.rate, workers=options.workers, seed=options.seed)
    if plan.short:  # a smoke run: look and trouble more often
        plan = Plan(options.minutes, options.rate, 2.0, 4.0, options.workers, options.seed)
    folder = Path(tempfile.mkdtemp(prefix="lockgate-soak-", dir=options.folder))
    report = asyncio.run(Soak(plan, folder).run())
    if options.report:
        write(report, Path(options.report))
    show(report)
    if report.holds:
        shutil.rmtree(folder)
        return 0
    print(f"Left for a look: {folder}")
    return 1


def show(report: Report) -> None:
    print(f"\n{report.plan.minutes:g} min, {report.calls} calls, {report.tokens} tokens, "
          f"{report.cpu_share:.0%} of one core")  # fmt: skip
    for name, each in (("acts", report.acts), ("trouble", report.trouble)):
        print(f"{name}: " + ", ".join(f"{what} {n}" for what, n in sorted(each.items())))
    if report.plan.short:
        print("Too short a run to judge growth:")
    for one in report.growth:
        held = "holds" if one.holds else "GROWS"
        print(f"{one.what:12} {one.first:9.1f} {one.middle:9.1f} {one.last:9.1f}  "
              f"most {one.most:9.1f}  {held}")  # fmt: skip
    print(f"left: {report.left}")
    for name in ("unpaired", "miscounted", "surprises"):
        found = getattr(report, name)
        print(f"{name}: {len(found)}")
        print("".join(f"  {one}\n" for one in found[:_SHOWN]), end="")
    print("HOLDS" if report.holds else "DOES NOT HOLD")


def _options() -> argparse.Namespace:
    said = argparse.ArgumentParser(prog="make soak", description=__doc__)
    said.add_argument("--minutes", type=float, default=60.0)
    said.add_argument("--rate", type=float, default=40.0, help="acts a second")
    said.add_argument("--workers", type=int, default=1)
    said.add_argument("--seed", type=int, default=20260728)
    said.add_argument("--report", help="where to write the whole report, as JSON")
    said.add_argument("--folder", help="where its own folder is made")
    return said.parse_args()


if __name__ == "__main__":
    sys.exit(main())
