"""The demo's gateway, in this process and on a loopback port, and what acts on it."""

import asyncio
import os
import socket
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from secrets import token_bytes
from typing import Any, Literal

import httpx2
import msgspec
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, Implementation

from lockgate.app.demo.clinic_log import read_log
from lockgate.app.demo.folder import ALICE, BOB, REPORTS, Caller, Folder
from lockgate.app.demo.upstreams import Behind
from lockgate.app.front import scheme_of
from lockgate.app.http_server import Server
from lockgate.app.listening import address_of
from lockgate.app.server import Running, greeter_of, opened, server_config
from lockgate.app.settings_file import load
from lockgate.app.stamps import now_ms, stamp
from lockgate.control_plane.services.acting import Actor
from lockgate.control_plane.services.approvals import Approvals, Shown
from lockgate.model import SYSTEM, Call, Effect, Recorded, Release, Reply
from lockgate.pipeline.run import SILENT, run

Era = Literal["modern", "legacy"]
ERAS: tuple[Era, ...] = ("modern", "legacy")
MODES: Mapping[Era, str] = {"modern": "2026-07-28", "legacy": "legacy"}
CALL_SECONDS = 30.0
AT_ONCE = max(2, os.cpu_count() or 2)
"""Upstreams starting at the same time. Starting is computing: more would only slow one another."""
_ROWS = 10_000


class Said(msgspec.Struct, frozen=True):
    """An answer, whether it came as a tool result or as a JSON-RPC error."""

    ok: bool
    text: str
    reason: str = ""
    """Catalogue code of the refusal, if Lockgate refused."""
    call: str = ""
    data: Any = None
    """Structured content; for a refusal what came beside the text."""


class Moment(msgspec.Struct, frozen=True):
    seq: int
    reached: Counter[str]


class Since(msgspec.Struct, frozen=True):
    """What happened after a moment."""

    rows: tuple[Recorded, ...]
    reached: Counter[str]
    """Tool calls that arrived at the clinic, by its own log."""

    @property
    def calls(self) -> tuple[Recorded, ...]:
        """Rows about something that was asked of an upstream. Not the lists: clients ask for them
        when they see fit, for instance before they first use a tool."""
        return tuple(row for row in self.rows if _is_call(row.event.header))


class Started(msgspec.Struct, frozen=True):
    """How an upstream came up."""

    name: str
    tools: tuple[str, ...]
    seconds: float
    problem: str = ""


class Embedded(Server):
    """Leaves signals to whoever embeds it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Stage:
    """Everything a scene may use."""

    def __init__(self, folder: Folder, url: str, running: Running, raw: httpx2.AsyncClient) -> None:
        self.folder = folder
        self.url = url
        """Of the endpoint over all upstreams."""
        self.running = running
        self.raw = raw
        self.started: Mapping[str, Started] = {}
        self._clients: dict[tuple[str, Era], Client] = {}

    async def connect(self, stack: AsyncExitStack) -> None:
        """Connect everybody; ``stack`` ends the connections."""
        wanted: list[tuple[Caller, Era]] = [(who, era) for who in (ALICE, BOB) for era in ERAS]
        for who, era in (*wanted, (REPORTS, ERAS[0])):
            client = await stack.enter_async_context(self._client(who, MODES[era]))
            self._clients[who.name, era] = client

    def client(self, who: Caller, era: Era) -> Client:
        return self._clients[who.name, era]

    async def call(
        self, who: Caller, era: Era, tool: str, arguments: dict[str, Any] | None = None
    ) -> Said:
        return await said_by(self.client(who, era).call_tool(tool, arguments or {}))

    async def now(self) -> Moment:
        rows = await self.journal(None, 1)
        return Moment(rows[-1].seq if rows else 0, read_log(self.folder.access_log))

    async def since(self, moment: Moment) -> Since:
        rows = await self.journal(moment.seq)
        return Since(rows, read_log(self.folder.access_log) - moment.reached)

    async def journal(self, after: int | None, most: int = _ROWS) -> tuple[Recorded, ...]:
        """Rows of requests after ``after``, or the last; outcomes still on their way included."""
        plant = self.running.plant
        await plant.journal.flush()
        rows = await asyncio.to_thread(plant.stores.events.tail, most, after)
        return tuple(r for r in rows if after is None or r.event.kind != "auth.refused")

    async def question(self, call: str, who: str) -> Shown:
        """What a held call became, as this identity sees it."""
        return await asyncio.to_thread(self._approvals(who).show, call)

    async def answer(self, call: str, who: str) -> None:
        """Say yes, as the console and ``lockgate approvals approve`` do. Raises ``Refused``."""
        service = self._approvals(who)
        seen = await asyncio.to_thread(service.show, call)
        await asyncio.to_thread(service.answer, call, seen.asked.inquiry.digest, "yes")
        await asyncio.to_thread(self.running.plant.approvals.refresh, now_ms())

    def _approvals(self, who: str) -> Approvals:
        plant = self.running.plant
        actor = Actor(who, "cli" if who.startswith("os:") else "console")
        return Approvals(plant.inquiries, plant.stores.events, plant.approvers, actor, now_ms,
                         token_bytes)  # fmt: skip

    async def start(self, upstream: Behind, holder: str) -> Started:
        """Start an upstream by listing its tools, as Lockgate's own probe does and through the same
        pipeline. ``holder``: whose connection, where it is not shared."""
        state, began = self.running.gateway.state, time.monotonic()
        system = msgspec.structs.replace(SYSTEM, on_behalf=holder)
        place = state.resolver.upstreams[upstream.name]
        call = Call(stamp().id, system, "tools/list", place, "", b"{}")
        answer = await run(call, state.gate, SILENT)
        took = time.monotonic() - began
        if isinstance(answer, Release) and isinstance(answer.said, Reply):
            names = tuple(tool["name"] for tool in answer.said.decoded.get("tools", ()))
            if names:
                return Started(upstream.name, names, took)
        reason = "upstream.error" if isinstance(answer, Release) else answer.reason
        return Started(upstream.name, (), took, reason)

    async def start_all(self, tell: Callable[[Started], None]) -> None:
        """Start everything, some at a time; ``tell`` hears of each."""
        places = asyncio.Semaphore(AT_ONCE)

        async def start(upstream: Behind, holder: str) -> Started:
            async with places:
                found = await self.start(upstream, holder)
            tell(found)
            return found

        waiting = [
            start(one, who.holder)
            for one in self.folder.upstreams
            for who in ((ALICE,) if one.shared else (ALICE, BOB, REPORTS))
        ]
        self.started = {one.name: one for one in await asyncio.gather(*waiting)}

    @asynccontextmanager
    async def _client(self, who: Caller, mode: str) -> AsyncIterator[Client]:
        async with connected(self.url, self.folder.key(who), client_info(who), mode) as client:
            yield client


def _is_call(about: Mapping[str, Any]) -> bool:
    return bool(about.get("upstream")) and not str(about.get("method")).endswith("/list")


def effect_of(row: Recorded) -> Effect:
    return Effect[row.event.effect.upper()]


@asynccontextmanager
async def open_stage(folder: Folder, listener: socket.socket) -> AsyncIterator[Stage]:
    """A gateway over what is in ``folder``, answering on ``listener``. Raises what ``opened``
    does."""
    settings = load(folder.config)
    bound = address_of(listener)
    async with opened(folder.config, settings, bound) as running:
        up = asyncio.Event()
        config = server_config(running.ingress, settings, running.refused)
        server = Embedded(config, running.gateway.hub.stop, greeter_of(running))
        server.ready = up.set
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await up.wait()
            async with http_client({}) as raw:
                yield Stage(folder, f"{scheme_of(settings)}://{bound}/mcp", running, raw)
        finally:
            server.should_exit = True
            await serving


def http_client(headers: dict[str, str], trust: ssl.SSLContext | None = None) -> httpx2.AsyncClient:
    """Straight to this machine: a proxy in the environment has no say."""
    return httpx2.AsyncClient(
        headers=headers, trust_env=False, timeout=CALL_SECONDS, verify=trust or True
    )


@asynccontextmanager
async def connected(
    url: str, token: str, info: Implementation, mode: str, trust: ssl.SSLContext | None = None
) -> AsyncIterator[Client]:
    """An MCP client that shows ``token``, over TLS also what is in ``trust``."""
    async with http_client({"Authorization": f"Bearer {token}"}, trust) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=mode, cache=None, client_info=info,
                          read_timeout_seconds=CALL_SECONDS) as client:  # fmt: skip
            yield client


def client_info(who: Caller) -> Implementation:
    return Implementation(name=who.agent or who.name, version="demo")


async def said_by(answer: Awaitable[CallToolResult]) -> Said:
    """Await a tool call; its refusals are answers too."""
    try:
        result = await answer
    except MCPError as error:
        told = error.data if isinstance(error.data, dict) else {}
        return Said(False, error.message, told.get("reason", ""), told.get("call", ""), told)
    meta = dict(result.meta or {})
    text = "\n".join(getattr(block, "text", "") for block in result.content)
    data = meta if result.is_error else result.structured_content
    return Said(not result.is_error, text, str(meta.get("lockgate/reason", "")),
                str(meta.get("lockgate/call", "")), data)  # fmt: skip
