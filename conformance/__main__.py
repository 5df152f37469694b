"""``make conformance``: the suite directly, through the gateway and across the eras, compared.

``python -m conformance [--out DIR] [--only NAME...]``: exits 1, with a readable list, where
anything goes worse through Lockgate than directly and no reviewed line says why.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec

from conformance.client_runs import client_run
from conformance.compare import Expected, judge, read_expected, worse
from conformance.stage import Era, Guard, fixture, gateway
from conformance.suite import Check, Finding, Found, run_suite

EXPECTED = Path(__file__).parent / "expected"
SETS = ("2025-11-25", "2026-07-28")
AT_ONCE = 2
"""Stages that run at a time; each has a fixture and a gateway of its own."""
FEW = 6
"""Scenarios that are run again alone; where more went badly, it was not for want of time."""
Say = Callable[[str], None]


class Stage(NamedTuple):
    name: str
    era: Era
    guard: Guard | None
    """None: straight at the fixture."""
    sets: tuple[str, ...]
    expected: str = ""
    """File of what cannot go well."""


DIRECT = Stage("direct", "both", None, (*SETS, "all"))
STAGES = (
    Stage("permissive", "both", "permissive", (*SETS, "all"), "through.toml"),
    Stage("controls", "both", "controls", SETS, "through.toml"),
    Stage("bridge-to-legacy", "legacy", "permissive", ("2026-07-28",), "bridge-to-legacy.toml"),
    Stage("bridge-to-modern", "modern", "permissive", ("2025-11-25",), "bridge-to-modern.toml"),
)
CLIENT = ("client-2025-11-25", "client-2026-07-28")
NAMES = (*(stage.name for stage in STAGES), *CLIENT)


class Verdict(msgspec.Struct, frozen=True):
    """``bad``: worse than directly and not expected. ``idle``: expected, but well."""

    name: str
    found: Found
    bad: dict[Check, Finding] = {}
    idle: list[Expected] = []

    @property
    def passed(self) -> bool:
        return not self.bad and not self.idle and bool(self.found.findings)


class Runner:
    def __init__(self, out: Path, say: Say) -> None:
        self._out = out
        self._say = say
        self._places = asyncio.Semaphore(AT_ONCE)
        self._direct: dict[str, Found] = {}

    async def all(self, names: set[str]) -> list[Verdict]:
        direct = asyncio.ensure_future(self._stage(DIRECT))
        clients = [asyncio.ensure_future(self._client(name)) for name in CLIENT if name in names]
        wanted = [stage for stage in STAGES if stage.name in names]
        through = [asyncio.ensure_future(self._through(stage, direct)) for stage in wanted]
        verdicts: list[Verdict] = []
        for done in await asyncio.gather(*through, *clients):
            verdicts += done
        return [Verdict(f"direct {of}", found) for of, found in (await direct).items()] + verdicts

    async def _client(self, name: str) -> list[Verdict]:
        revision = name.removeprefix("client-")
        async with self._places:
            found = await client_run(revision, self._out / name)
        bad = {check: finding for check, finding in found.findings.items() if finding.rank > 1}
        left, idle = judge(bad, read_expected(EXPECTED / f"{name}.toml"))
        return [Verdict(name, found, left, idle)]

    async def _stage(self, stage: Stage) -> dict[str, Found]:
        async with self._places, AsyncExitStack() as stack:
            url = await self._enter(stage, stack)
            found = {}
            for of in stage.sets:
                found[of] = await run_suite(_arguments(url, of), self._out / stage.name / of)
                self._say(f"  {stage.name} {of}: {found[of].figures}, {found[of].seconds:.1f} s")
            return found

    async def _through(
        self, stage: Stage, direct: "asyncio.Future[dict[str, Found]]"
    ) -> list[Verdict]:
        try:
            found, baseline = await self._stage(stage), await direct
        except AssertionError as error:  # the gateway did not start
            return [Verdict(stage.name, Found({}, 0, str(error)))]
        reviewed = read_expected(EXPECTED / stage.expected)
        verdicts = []
        for of, run in found.items():
            expected = tuple(line for line in reviewed if not line.sets or of in line.sets)
            bad, idle = judge(worse(run.findings, baseline[of].findings), expected)
            if 0 < len({check.scenario for check in bad}) <= FEW:
                run = await self._again(stage, of, run, {check.scenario for check in bad})
                bad, idle = judge(worse(run.findings, baseline[of].findings), expected)
            verdicts.append(Verdict(f"{stage.name} {of}", run, bad, idle))
        return verdicts

    async def _again(self, stage: Stage, of: str, run: Found, scenarios: set[str]) -> Found:
        """Whatever went badly once more, alone: the suite has deadlines, and two cores are few."""
        findings = dict(run.findings)
        async with self._places, AsyncExitStack() as stack:
            url = await self._enter(stage, stack)
            for scenario in sorted(scenarios):
                once = ("server", "--url", url, "--scenario", scenario, *_version(of))
                place = self._out / f"{stage.name}-alone" / of / scenario
                alone = {
                    Check(scenario, check.id): finding
                    for check, finding in (await run_suite(once, place)).findings.items()
                }
                if alone:
                    findings = {c: f for c, f in findings.items() if c.scenario != scenario}
                    findings |= alone
        self._say(f"  {stage.name} {of}: run again alone: {', '.join(sorted(scenarios))}")
        return msgspec.structs.replace(run, findings=findings)

    async def _enter(self, stage: Stage, stack: AsyncExitStack) -> str:
        url = await stack.enter_async_context(fixture(stage.era))
        if stage.guard is None:
            return url
        folder = Path(tempfile.mkdtemp(prefix="gate-", dir=self._out))
        return await stack.enter_async_context(gateway(folder, url, stage.guard))


def _arguments(url: str, of: str) -> tuple[str, ...]:
    chosen = ("--suite", "all") if of == "all" else ("--requirements", of)
    return ("server", "--url", url, *chosen)


def _version(of: str) -> tuple[str, ...]:
    return () if of == "all" else ("--spec-version", of)


def report(verdicts: list[Verdict], say: Say) -> int:
    """Prints what is to be read. Returns how many runs are not as they should be."""
    failed = 0
    for verdict in verdicts:
        say(f"{'ok  ' if verdict.passed else 'FAIL'} {verdict.name}: {verdict.found.figures}")
        if verdict.passed:
            continue
        failed += 1
        for check, finding in sorted(verdict.bad.items()):
            said = " ".join(finding.said.split())[:300]
            say(f"       {check.scenario} · {check.id}: {finding.status} {said}")
        for line in verdict.idle:
            say(f"       {line.scenario} {', '.join(line.checks)}: expected to fail, and did not")
        if not verdict.found.findings:
            say(f"       nothing was checked:\n{verdict.found.output[-2000:]}")
    say(f"{len(verdicts) - failed} passed, {failed} failed")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(prog="conformance")
    parser.add_argument("--out", type=Path, help="keep what the suite writes there")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    chosen = parser.parse_args()
    started = time.monotonic()

    def say(line: str) -> None:
        print(line, flush=True)

    with tempfile.TemporaryDirectory(prefix="conformance-") as scratch:
        out = (chosen.out or Path(scratch)).resolve()
        out.mkdir(parents=True, exist_ok=True)
        verdicts = asyncio.run(Runner(out, say).all(set(chosen.only)))
        failed = report(verdicts, say)
    say(f"conformance took {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
