"""Running ``@modelcontextprotocol/conformance`` and reading what it found."""

import asyncio
import contextlib
import os
import re
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

ROOT = Path(__file__).parents[1]
NODE = ROOT / ".node" / "bin" / "node"
SUITE = ROOT / ".node/node_modules/@modelcontextprotocol/conformance/dist/index.js"
SECONDS = 240.0
"""A run that takes longer is ended, and has failed."""
_WORSE = {"SUCCESS": 0, "INFO": 0, "SKIPPED": 1, "WARNING": 2, "FAILURE": 3}
_FOLDER = re.compile(r"(?:server-)?(.+)-\d{4}-\d\d-\d\dT[\d-]+Z")


class Check(NamedTuple):
    """One thing that the suite looked at; several looks under one id count as the worst."""

    scenario: str
    id: str


class Finding(msgspec.Struct, frozen=True):
    status: str
    said: str = ""

    @property
    def rank(self) -> int:
        return _WORSE[self.status]


class Found(msgspec.Struct, frozen=True):
    """What one run found."""

    findings: dict[Check, Finding]
    seconds: float
    output: str

    @property
    def scenarios(self) -> set[str]:
        return {check.scenario for check in self.findings}

    @property
    def figures(self) -> str:
        ranks = [finding.rank for finding in self.findings.values()]
        told = [f"{ranks.count(0)} well", f"{ranks.count(3)} failed"]
        told += [f"{ranks.count(2)} warned"] if 2 in ranks else []
        told += [f"{ranks.count(1)} skipped"] if 1 in ranks else []
        return f"{len(self.scenarios)} scenarios, checks: {', '.join(told)}"


async def run_suite(
    arguments: Sequence[str], out: Path, environment: Mapping[str, str] | None = None
) -> Found:
    """One run of the suite. Its exit code is not asked: we look at every check."""
    await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
    started = time.monotonic()
    said = await output_of((*arguments, "-o", str(out)), environment)
    (out / "output.txt").write_text(said)
    return Found(read(out), time.monotonic() - started, said)


async def output_of(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What the suite prints. It is a process group of its own, and ends in time."""
    process = await asyncio.create_subprocess_exec(
        str(NODE), str(SUITE), *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, start_new_session=True, cwd=ROOT,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        said = b"(ended: it took too long)"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return said.decode(errors="replace")


def read(out: Path) -> dict[Check, Finding]:
    """Every check of the run that wrote ``out``."""
    found: dict[Check, Finding] = {}
    for file in sorted(out.glob("**/checks.json")):
        scenario = _scenario(file.parent.relative_to(out).as_posix())
        for entry in msgspec.json.decode(file.read_bytes()):
            check = Check(scenario, entry["id"])
            finding = Finding(entry["status"], entry.get("errorMessage") or "")
            if check not in found or finding.rank > found[check].rank:
                found[check] = finding
    return found


def _scenario(folder: str) -> str:
    place, _, name = folder.rpartition("/")
    matched = _FOLDER.fullmatch(name)
    return f"{place}/{matched[1] if matched else name}".removeprefix("/")
