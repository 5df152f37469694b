"""The suite's other half: it plays servers, and a gateway before it is the client."""

import asyncio
import os
import sys
import time
from pathlib import Path

from conformance.suite import ROOT, Check, Finding, Found, output_of, run_suite

TIMEOUT_MS = 60_000
AT_ONCE = 2
"""The suite would begin all at the same time, with a gateway each: too much for two cores."""


async def client_run(revision: str, out: Path) -> Found:
    """Every client scenario that ``revision`` requires or reports."""
    started = time.monotonic()
    listed = await output_of(("list", "--requirements", revision))
    names = _client_scenarios(listed)
    places = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> Found:
        async with places:
            return await _scenario(name, revision, out / name)

    found = await asyncio.gather(*map(one, names))
    findings = {check: finding for run in found for check, finding in run.findings.items()}
    output = "\n".join(run.output for run in found) or listed
    return Found(findings, time.monotonic() - started, output)


async def _scenario(name: str, revision: str, out: Path) -> Found:
    command = f"{sys.executable} -m conformance.client_under_test"
    # Extensions are on no version's list, and are tried all the same.
    arguments = ("client", "--force", "--command", command, "--scenario", name,
                 "--spec-version", revision, "--timeout", str(TIMEOUT_MS))  # fmt: skip
    paths = [str(ROOT), str(ROOT / "src"), str(ROOT / "tests")]
    run = await run_suite(arguments, out, {"PYTHONPATH": os.pathsep.join(paths)})
    findings = {Check(name, check.id): finding for check, finding in run.findings.items()}
    findings = findings or {Check(name, "begun"): Finding("FAILURE", run.output[-500:])}
    return Found(findings, run.seconds, run.output)


def _client_scenarios(said: str) -> list[str]:
    """From what ``list`` prints: the section of clients, and those reported without a score."""
    _, _, after = said.partition("Client scenarios")
    section, _, rest = after.partition("\n\n")
    lines = [line.split() for line in (*section.splitlines(), *rest.splitlines())]
    scored = [line[1] for line in lines if len(line) == 2 and line[0] == "-"]
    return scored + [line[1] for line in lines if len(line) == 3 and line[2] == "[client]"]
