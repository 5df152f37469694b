"""Workers of one deployment that make approved calls, over real stores, before one upstream."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import orjson

from lockgate.app.executions import Executions
from lockgate.app.gateway import State
from lockgate.app.inflight import InFlight
from lockgate.app.settings_file import parse
from lockgate.app.stamps import now_ms, stamp
from lockgate.app.stores import Stores, open_stores
from lockgate.app.wiring import Among, Plant
from lockgate.control_plane.services.acting import Actor
from lockgate.control_plane.services.approvals import Approvals
from lockgate.model import (
    KeyRecord,
    Permit,
    Principal,
    Recorded,
    Release,
    Reply,
    SendFailed,
)
from lockgate.model.inquiry import Inquiry
from lockgate.pipeline.caller import Caller
from lockgate.pipeline.results import NAME, look_up
from lockgate.pipeline.run import SILENT, Refused, run
from lockgate.upstream.catalogue import tools_in
from lockgate.upstream.link import Hears
from lockgate.wire.methods import METHODS
from lockgate.wire.request import Request

TOOL = "update_prescription"
SCHEMA = {"type": "object", "properties": {"patient": {"type": "string"},
                                           "dose": {"type": "integer"}}}  # fmt: skip
PERMIT = '@id("all") permit(principal, action, resource);'
SETTINGS = """
limits: {calls_per_minute: 600, burst: 100, concurrent_calls: 50}
upstreams: {clinic: {command: clinic, tools: {update_prescription: {hold: owner}}}}
"""
KEY = KeyRecord("k1", "personal", "alice", "alice", frozenset({"doctor"}), "desk", "h", 1, 2**50)
ALICE = Principal("person", "alice", frozenset({"doctor"}), "desk", "alice",
                  frozenset({"api_key"}), "k1")  # fmt: skip
BOB = msgspec.structs.replace(ALICE, subject="bob", owner="bob", credential="k2")
DOSE = {"patient": "p-1", "dose": 10}
Json = Mapping[str, Any]


class Pharmacy:
    """The upstream of all workers: what reached it, and what it says."""

    def __init__(self) -> None:
        self.ran: list[Json] = []
        self.says: bytes = b'{"content":[{"type":"text","text":"done"}]}'
        self.fails = ""
        self.definition: dict[str, Any] = {"name": TOOL, "inputSchema": SCHEMA}
        self.reached = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    def behind(self, plant: Plant) -> "Behind":
        return Behind(self, plant)


class Behind:
    """The upstream as one worker reaches it."""

    def __init__(self, pharmacy: Pharmacy, plant: Plant) -> None:
        self._pharmacy = pharmacy
        self._plant = plant

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        call, there = permit.call, self._pharmacy
        if call.method == "tools/list":
            raw = orjson.dumps({"tools": [there.definition]})
            self._plant.tools.put(call.upstream, call.terms, tools_in(call.upstream, raw))
            return Reply(call, raw)
        there.ran.append(call.arguments)
        there.reached.set()
        await there.goes_on.wait()
        if there.fails:
            raise SendFailed(there.fails, "as told")
        return Reply(call, there.says)


class Worker:
    def __init__(
        self, stores: Stores, pharmacy: Pharmacy, node: str, policies: Json, settings: str
    ) -> None:
        told = parse(settings)
        self.stores = stores
        self.pharmacy = pharmacy
        self.plant = Plant(stores, told, Among(node))
        self.inflight = InFlight()
        self.state: State
        self.configure(policies, settings)
        self.executions = Executions(self.plant, lambda: self.state, self.inflight)

    def configure(self, policies: Json, settings: str = SETTINGS) -> None:
        state = self.plant.state(parse(settings), dict(policies))
        gate = msgspec.structs.replace(state.gate, sender=self.pharmacy.behind(self.plant))
        self.state = msgspec.structs.replace(state, gate=gate)

    def refresh(self) -> None:
        self.plant.refresh(now_ms())

    async def ask(self, who: Principal = ALICE, tool: str = TOOL, **said: Any) -> Release | Refused:
        """As a client asks."""
        self.refresh()
        request = request_of(tool, said or DOSE)
        caller = self._caller(who)
        if tool == NAME:
            return await look_up(request, caller, self.state.gate)
        call = await self.state.resolver.call_of(request, caller, self.state.gate)
        return await run(call, self.state.gate, SILENT)

    async def handle(self, **said: Any) -> str:
        """Of what alice asks now."""
        held = await self.ask(**said)
        assert isinstance(held, Refused), held
        assert held.inquiry is not None, held
        await self.plant.journal.flush()
        return held.inquiry.id

    async def look(self, id: str, who: Principal = ALICE) -> Release | Refused:
        return await self.ask(who, NAME, handle=id)

    def question(self, id: str) -> Inquiry:
        asked = self.plant.inquiries.get(id)
        assert asked is not None
        return asked.inquiry

    def as_(self, who: str) -> Approvals:
        self.refresh()
        return Approvals(
            self.plant.inquiries, self.stores.events, self.plant.approvers, Actor(who, "cli"),
            now_ms, secrets.token_bytes,
        )  # fmt: skip

    def approve(self, id: str, who: str = "os:dora") -> None:
        self.as_(who).answer(id, self.question(id).digest, "yes")

    async def carry_out(self) -> None:
        """One look, and all that it begins."""
        self.refresh()
        await self.executions.look()
        await self.inflight.drain(20)
        self.inflight.draining = False
        await self.plant.journal.flush()

    def rows(self) -> tuple[Recorded, ...]:
        return self.stores.events.tail(1_000)

    def _caller(self, who: Principal) -> Caller:
        return Caller(who, self.state.endpoints["/mcp/clinic"], "192.0.2.1", stamp().id)


def request_of(tool: str, said: Json) -> Request:
    params = orjson.dumps({"name": tool, "arguments": dict(said)})
    return Request("modern", "2026-07-28", 1, "tools/call", tool, params, names="tool",
                   rule=METHODS["tools/call"])  # fmt: skip


@asynccontextmanager
async def workers(
    folder: Path,
    count: int = 1,
    database: str = "",
    policies: Json | None = None,
    settings: str = SETTINGS,
) -> AsyncIterator[Sequence[Worker]]:
    """Each with an engine of its own, as in processes of their own."""
    pharmacy, opened, made = Pharmacy(), list[Stores](), list[Worker]()
    try:
        for number in range(count):
            opened.append(open_stores(folder / "data", database))
            if number == 0:
                opened[0].keys.add(KEY)
        for number, stores in enumerate(opened):
            given = policies or {"a.cedar": PERMIT}
            made.append(Worker(stores, pharmacy, f"host.{number}", given, settings))
        yield made
    finally:
        for worker in made:
            await worker.plant.close()
            await worker.plant.journal.close()
        for stores in opened:
            stores.engine.dispose()


def reason(answer: Release | Refused) -> str:
    assert isinstance(answer, Refused), answer
    return answer.reason


def text(answer: Release | Refused) -> str:
    assert isinstance(answer, Release), answer
    assert isinstance(answer.said, Reply)
    return str(answer.said.decoded["content"][0]["text"])


def meta(answer: Release | Refused) -> Json:
    assert isinstance(answer, Release), answer
    assert isinstance(answer.said, Reply)
    found: Json = answer.said.decoded.get("_meta", {})
    return found
