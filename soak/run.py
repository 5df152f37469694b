"""One soak, start to finish, and its report."""

import asyncio
import json
import os
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import msgspec

from lockgate.model.call import EraName
from soak.load import Load
from soak.sampling import Sampler
from soak.talkers import StdioTalker
from soak.trouble import HttpUpstream, Trouble
from soak.verdict import Growth, Row, growth, miscounted, unpaired
from support.client import http_client
from support.gateway import ROOT, Gateway

PEOPLE = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
ERAS: tuple[EraName, ...] = ("legacy", "modern")
SHIMMED = "shim"
"""Whose key is never revoked: a shim keeps the one it was started with."""
_LIMITS = {"burst": 1_000_000, "calls_per_minute": 1_000_000, "concurrent_calls": 1_000}
_SHORT = 10.0
_SETTLE = 15.0
"""Seconds for what was still underway when the load stopped."""


class Plan(msgspec.Struct, frozen=True):
    minutes: float = 60.0
    rate: float = 40.0
    """Acts a second, over everybody."""
    sample_seconds: float = 10.0
    trouble_seconds: float = 15.0
    workers: int = 1
    seed: int = 20260728

    @property
    def short(self) -> bool:
        """Too short to tell growth from a start: links and caches are still filling up."""
        return self.minutes < _SHORT


class Report(msgspec.Struct):
    plan: Plan
    seconds: float
    acts: dict[str, int]
    trouble: dict[str, int]
    cpu_share: float
    """Of one core, the gateway's own processes."""
    growth: list[Growth]
    calls: int
    """Intents in the journal."""
    tokens: int
    unpaired: list[str]
    miscounted: list[str]
    surprises: list[str]
    left: dict[str, Any]
    """After the load: tasks by kind, what the parts still held, and the end."""
    series: dict[str, list[float]]

    @property
    def holds(self) -> bool:
        grown = [] if self.plan.short else [one.what for one in self.growth if not one.holds]
        faults = (grown, self.unpaired, self.miscounted, self.surprises, self.left["faults"])
        return self.calls > 0 and not any(faults)


class Soak:
    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self._books = folder / "books"
        self._samples = folder / "samples"
        for place in (self._books, self._samples):
            place.mkdir(parents=True)
        self._over_http = [HttpUpstream(era, self._books) for era in ERAS]
        self._gate = Gateway(folder / "gate", self._upstreams(), limits=_LIMITS,
                             listen={"port": 0, "workers": plan.workers})  # fmt: skip
        self._gate.environment = {
            "PYTHONPATH": f"{ROOT / 'soak' / 'inside'}:{ROOT / 'src'}",
            "SOAK_SAMPLES": str(self._samples),
        }
        self._keys = {name: self._gate.key(name) for name in PEOPLE}
        self._gate.key(SHIMMED)
        self._sampler = Sampler(self._gate, self._samples)

    async def run(self) -> Report:
        for upstream in self._over_http:
            upstream.start()
        began = time.monotonic()
        try:
            async with self._gate:
                load = Load(self._gate.base, self._keys, self._counted(), self.plan.seed)
                trouble = Trouble(self._gate, self._over_http, self._keys, say, self.plan.seed)
                await self._loaded(load, trouble)
                left = await self._settled()
                left["exit"] = await asyncio.to_thread(self._gate.stop)
        finally:
            for upstream in self._over_http:
                upstream.kill()
        return self._report(load, trouble, left, time.monotonic() - began)

    async def _loaded(self, load: Load, trouble: Trouble) -> None:
        ends = time.monotonic() + self.plan.minutes * 60
        pause = (2 * len(PEOPLE) + len(ERAS)) / self.plan.rate
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(http_client())
            running = [asyncio.create_task(load.person(http, name, era, pause))
                       for name in PEOPLE for era in ERAS]  # fmt: skip
            running += [asyncio.create_task(self._shimmed(load, era, pause)) for era in ERAS]
            making = trouble.make(self.plan.trouble_seconds, load.stopping)
            running.append(asyncio.create_task(making))
            while (left := ends - time.monotonic()) > 0 and not _failed(running):
                await asyncio.sleep(min(left, self.plan.sample_seconds))
                found = await asyncio.to_thread(self._sampler.sample)
                said = ", ".join(f"{what} {value:.0f}" for what, value in found.items())
                say(f"{said}; {sum(load.told.values())} acts, {len(load.surprises)} surprises")
            load.stopping.set()
            await asyncio.gather(*running)

    async def _shimmed(self, load: Load, era: EraName, pause: float) -> None:
        """``lockgate stdio``, started anew now and then."""
        while not load.stopping.is_set():
            upstream = load.chance.choice(load.upstreams)
            async with self._gate.shim(SHIMMED, f"/mcp/{upstream}") as (stdin, stdout):
                talker = StdioTalker(stdin, stdout, era)
                await talker.open()
                await load.talk(talker, "", load.chance.randrange(100, 400), pause)

    async def _settled(self) -> dict[str, Any]:
        """Wait until nothing runs any more, and say what is left."""
        ends, left = time.monotonic() + _SETTLE, {"GroupCommitJournal": 1}
        while time.monotonic() < ends and any(left.get(one) for one in _EMPTY):
            await asyncio.sleep(1)
            await asyncio.to_thread(self._sampler.sample)
            left = self._sampler.held
        faults = [f"{one} still holds {left[one]}" for one in _EMPTY if left.get(one)]
        faults += [f"nobody can say what {one} holds" for one in _EMPTY if one not in left]
        return {"tasks": dict(self._sampler.kinds), "held": left, "faults": faults}

    def _report(self, load: Load, trouble: Trouble, left: dict[str, Any], took: float) -> Report:
        rows = list(read_rows(self._gate.folder / "data" / "lockgate.db"))
        received = read_books(self._books)
        if left["exit"] != 0:
            left["faults"].append(f"the gateway ended with {left['exit']}")
        if "Traceback" in self._gate.log:
            left["faults"].append(f"a traceback in {self._gate.folder / 'stderr.log'}")
        cpu = self._sampler.cpu
        span = max(1, len(cpu) - 1) * self.plan.sample_seconds
        return Report(
            self.plan, took, dict(load.told), dict(trouble.done), (cpu[-1] - cpu[0]) / span,
            growth(self._sampler.series), sum(row.kind == "call.intent" for row in rows),
            len(received), unpaired(rows), miscounted(rows, received, load.answered),
            load.surprises, left, self._sampler.series,
        )  # fmt: skip

    def _upstreams(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for era, over in zip(ERAS, self._over_http, strict=True):
            found[f"http-{era}"] = {"url": f"http://127.0.0.1:{over.port}/mcp"}
            found[f"stdio-{era}"] = {
                "command": sys.executable,
                "args": ["-m", "soak.stdio_upstream", era, str(self._books)],
                "env": {"PYTHONPATH": str(ROOT)},
            }
        return found

    def _counted(self) -> list[str]:
        return sorted(self._upstreams())


_EMPTY = ("GroupCommitJournal", "InFlight", "Parking", "Asking")
"""Parts that hold nothing once nobody talks."""


def read_books(folder: Path) -> Counter[str]:
    """How often upstreams saw each token."""
    found: Counter[str] = Counter()
    for book in folder.glob("calls.*"):
        found.update(line for line in book.read_text().split("\n") if line)
    return found


def read_rows(database: Path) -> Iterator[Row]:
    """Every row of the journal that is about a call."""
    asked = (
        "SELECT event.call, event.kind, event.effect, event.reason, event.method, slot.data "
        "FROM event LEFT JOIN slot ON slot.event_id = event.id AND slot.slot = 'args' "
        "WHERE event.kind IN ('call.intent', 'call.outcome') ORDER BY event.seq"
    )
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        for call, kind, effect, reason, method, data in db.execute(asked):
            counted = method == "tools/call" and kind == "call.intent" and data
            token = json.loads(data).get("arguments", {}).get("token", "") if counted else ""
            yield Row(call, kind, effect, reason, token)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _failed(running: list["asyncio.Task[None]"]) -> bool:
    return any(task.done() and not task.cancelled() and task.exception() for task in running)


def write(report: Report, place: Path) -> None:
    new = place.with_suffix(".new")
    new.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    os.replace(new, place)
