"""The load: asks, checks every reply, and measures from when a call was meant to begin.

``python -m bench.load`` reads a ``Plan`` as JSON from standard input and prints a ``Measured``.
"""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import cast

import httptools
import msgspec
import orjson
import uvloop

from bench.messages import LEGACY, Ask, Dialect, fault, headers, request
from bench.processes import cpu_seconds, resident_bytes, tree
from bench.statistics import quantile

_SHOWN = 5
PATIENCE = 60.0
"""Seconds that a call may take at all."""


class Plan(msgspec.Struct, frozen=True):
    """What to ask of whom."""

    host: str
    port: int
    paths: tuple[str, ...]
    """Asked in turn, each with the tool at the same place."""
    tools: tuple[str, ...]
    headers: Mapping[str, str] = {}
    """The credential, where one is needed."""
    dialect: Dialect = "modern"
    size: int = 600
    """Bytes of a request, and nearly of its reply."""
    connections: int = 1
    seconds: float = 3.0
    warm_seconds: float = 0.5
    calls: int = 0
    """End after so many instead, where this is not 0."""
    rate: float = 0.0
    """Calls a second that begin whatever happened to the earlier ones (open loop). 0: each
    connection asks again when it was answered (closed loop)."""
    watched: int = 0
    """Process whose tree is measured meanwhile."""


class Measured(msgspec.Struct, frozen=True):
    calls: int
    seconds: float
    sent: int
    """All that were asked, warm-up included."""
    wrong: int
    faults: tuple[str, ...]
    p50_ms: float
    p99_ms: float
    most_ms: float
    cpu_us: float
    """CPU of the watched tree for one call."""
    resident: int
    """Bytes of the watched tree at the end."""

    @property
    def rate(self) -> float:
        return self.calls / self.seconds


class Connection(asyncio.Protocol):
    """One kept-alive connection with at most one request on its way."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._session = b""
        self._ask: Ask | None = None
        self._meant = 0.0

    def send(self, ask: Ask, head: bytes, meant: float) -> None:
        self._ask, self._meant, self._session = ask, meant, b""
        if self._transport is not None:
            self._transport.write(head + b"content-length: %d\r\n\r\n" % len(ask.body) + ask.body)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(self, exc)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"mcp-session-id":
            self._session = value

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        ask, self._ask = self._ask, None
        status = self._parser.get_status_code()
        if ask is not None:
            body = b"".join(self._body)
            self._load.answered(self, ask, status, body, self._session.decode(), self._meant)


class Load:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._count = self._sent = self._wrong = 0
        self._faults: list[str] = []
        self._times: list[float] = []
        self._heads: list[bytes] = []
        self._idle: deque[Connection] = deque()
        self._due: deque[float] = deque()
        self._counting = self._ending = self._lost = False
        self._over = asyncio.Event()
        self._opened: asyncio.Future[str] | None = None

    async def run(self) -> Measured:
        """Raises ``RuntimeError`` where a session cannot be opened, or nothing answers any more."""
        plan, loop = self._plan, asyncio.get_running_loop()
        connections = [await self._connect() for _ in range(plan.connections)]
        sessions = {path: await self._session(connections[0], path) for path in plan.paths}
        self._heads = [
            self._head(path, headers(tool, plan.dialect, sessions[path]))
            for path, tool in zip(plan.paths, plan.tools, strict=True)
        ]
        self._idle.extend(connections)
        if plan.rate:
            loop.call_soon(self._arrive, time.perf_counter())
        else:
            for _ in connections:
                self._begin(time.perf_counter())
        await asyncio.sleep(plan.warm_seconds)
        self._counting = True
        began, used = time.perf_counter(), cpu_seconds(self._watched())
        await self._until_enough()
        seconds = time.perf_counter() - began
        used, resident = cpu_seconds(self._watched()) - used, resident_bytes(self._watched())
        calls = len(self._times)
        self._ending = True
        async with asyncio.timeout(PATIENCE):
            await self._quiet()
        return self._told(calls, seconds, used, resident)

    def answered(
        self, by: Connection, ask: Ask, status: int, body: bytes, session: str, meant: float
    ) -> None:
        if self._opened is not None:
            self._greeted(status, body, session)
            return
        now = time.perf_counter()
        wrong = fault(ask, status, body)
        if wrong:
            self._wrong += 1
            self._faults.append(wrong)
            del self._faults[_SHOWN:]
        if self._counting:
            self._times.append(now - meant)
            if len(self._times) == self._plan.calls:
                self._over.set()
        self._idle.append(by)
        if self._ending:
            return
        if not self._plan.rate:
            self._begin(now)
        elif self._due:
            self._begin(self._due.popleft())

    def lost(self, connection: Connection, cause: Exception | None) -> None:  # noqa: ARG002
        if not self._ending:
            self._lost = True
            self._wrong += 1
            self._faults.append(f"connection lost: {cause}")
            self._over.set()

    def _begin(self, meant: float) -> None:
        turn = self._count % len(self._heads)
        self._count += 1
        self._sent += 1
        ask = request(self._count, self._plan.tools[turn], self._plan.size, self._plan.dialect)
        self._idle.popleft().send(ask, self._heads[turn], meant)

    def _arrive(self, meant: float) -> None:
        if self._ending:
            return
        if self._idle:
            self._begin(meant)
        else:
            self._due.append(meant)
        following = meant + 1 / self._plan.rate
        loop = asyncio.get_running_loop()
        wait = following - time.perf_counter()
        if wait <= 0:
            loop.call_soon(self._arrive, following)
        else:
            loop.call_later(wait, self._arrive, following)

    async def _until_enough(self) -> None:
        if self._plan.calls:
            await self._over.wait()
            return
        try:
            async with asyncio.timeout(self._plan.seconds):
                await self._over.wait()
        except TimeoutError:
            return

    async def _quiet(self) -> None:
        """Until all that was asked has been answered."""
        while len(self._idle) < self._plan.connections and not self._lost:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(
            lambda: Connection(self), self._plan.host, self._plan.port
        )
        return made

    async def _session(self, over: Connection, path: str) -> str:
        if self._plan.dialect == "modern":
            return ""
        params = {"protocolVersion": LEGACY, "capabilities": {},
                  "clientInfo": {"name": "bench", "version": "1"}}  # fmt: skip
        said = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        self._opened = asyncio.get_running_loop().create_future()
        head = self._head(path, headers("", "legacy"))
        over.send(Ask(0, orjson.dumps(said), ""), head, 0.0)
        session = await self._opened
        told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        self._opened = asyncio.get_running_loop().create_future()
        head = self._head(path, headers("", "legacy", session))
        over.send(Ask(0, orjson.dumps(told), ""), head, 0.0)
        await self._opened
        self._opened = None
        return session

    def _greeted(self, status: int, body: bytes, session: str) -> None:
        opened = self._opened
        if opened is None or opened.done():
            return
        if status >= 300:
            opened.set_exception(RuntimeError(f"no session: HTTP {status} {body[:300]!r}"))
        else:
            opened.set_result(session)

    def _head(self, path: str, said: Mapping[str, str]) -> bytes:
        plan = self._plan
        lines = {"host": f"{plan.host}:{plan.port}", **said, **plan.headers}
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"POST {path} HTTP/1.1\r\n{text}".encode()

    def _watched(self) -> tuple[int, ...]:
        return tree(self._plan.watched) if self._plan.watched else ()

    def _told(self, calls: int, seconds: float, used: float, resident: int) -> Measured:
        ordered = sorted(1e3 * t for t in self._times[:calls]) or [0.0]
        return Measured(
            calls, seconds, self._sent, self._wrong, tuple(self._faults),
            quantile(ordered, 0.5), quantile(ordered, 0.99), ordered[-1],
            1e6 * used / max(1, calls), resident,
        )  # fmt: skip


if __name__ == "__main__":
    told = uvloop.run(Load(msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)).run())
    sys.stdout.buffer.write(msgspec.json.encode(told))
