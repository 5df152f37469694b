"""A shim between a client on pipes and a gateway that does as it is told."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from lockgate.app.bearer import Bearer, FixedBearer
from lockgate.app.ingress_stdio import carry
from support.client import ENVELOPE, LEGACY
from support.upstream_endpoint import Out, serving

INITIALIZE = {"jsonrpc": "2.0", "id": 0, "method": "initialize",
              "params": {"protocolVersion": LEGACY, "capabilities": {}}}  # fmt: skip
OPENED = {"jsonrpc": "2.0", "id": 0, "result": {"protocolVersion": LEGACY}}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
CANCELLED = {"jsonrpc": "2.0", "method": "notifications/cancelled"}
Json = dict[str, Any]


def request(id: object, method: str = "tools/list", **params: Any) -> Json:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def modern(id: object, method: str = "tools/list") -> Json:
    return request(id, method, _meta=ENVELOPE)


def result(id: object, **members: Any) -> Json:
    return {"jsonrpc": "2.0", "id": id, "result": members}


class FakeGateway:
    """Answers each method as ``acts`` says, or with what it was asked for."""

    def __init__(self) -> None:
        self.acts: dict[str, Callable[[Json, Out], Any]] = {"initialize": self._open}
        self.received: list[tuple[str, dict[str, str], Json]] = []
        self.reached = asyncio.Event()
        self.stream: Callable[[int, dict[str, str], Out], Any] | None = None
        """Answers each GET, with its number; without, there is no stream."""
        self.streams = 0
        self.sessions = 0
        self.go = asyncio.Event()
        self.gone = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        headers = {k.decode(): v.decode() for k, v in scope["headers"]}
        message: Json = {}
        if body.startswith(b"{"):
            message = json.loads(body)
        self.received.append((scope["method"], headers, message))
        out = Out(receive, send)
        if scope["method"] == "DELETE":
            await out.empty(204)
        elif scope["method"] == "GET":
            self.streams += 1
            await (self.stream(self.streams, headers, out) if self.stream else out.empty(405))
        elif "id" not in message:
            await out.empty(202)
        else:
            await self.acts.get(message["method"], self._echo)(message, out)

    async def _open(self, message: Json, out: Out) -> None:
        self.sessions += 1
        await out.json(200, OPENED, [("mcp-session-id", f"s-{self.sessions}")])

    async def _echo(self, message: Json, out: Out) -> None:
        await out.json(200, result(message["id"], method=message["method"]))

    async def hang(self, message: Json, out: Out) -> None:
        """As a call that runs: the stream is kept alive until its client leaves."""
        self.reached.set()
        await self.go.wait()
        await out.begin("text/event-stream")
        await out.more(b": keep-alive\n\n")
        await out.gone()
        self.gone.set()

    def methods(self) -> list[str]:
        return [message.get("method", verb) for verb, _, message in self.received]


class Client:
    """The other end of the shim's standard streams."""

    def __init__(self, url: str, bearer: Bearer | None = None) -> None:
        reading, self._writing = os.pipe()
        self._said: asyncio.Queue[bytes] = asyncio.Queue()
        source = os.fdopen(reading, "rb", buffering=0)
        carrying = carry(url, bearer or FixedBearer("lgp_key"), source, self)  # type: ignore[arg-type]
        self.running = asyncio.ensure_future(carrying)

    # A sink, as ``carry`` sees it.

    def write(self, line: bytes) -> None:
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        self._said.put_nowait(line)

    def flush(self) -> None:
        """Written already."""

    # A client, as tests see it.

    def say(self, *messages: Json | bytes) -> None:
        for one in messages:
            os.write(
                self._writing, one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n"
            )

    async def hears(self) -> Any:
        return json.loads(await asyncio.wait_for(self._said.get(), 10))

    @property
    def silent(self) -> bool:
        return self._said.empty()

    async def close(self) -> None:
        """Close stdin; returns when the shim has ended."""
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1
        await asyncio.wait_for(self.running, 10)


@asynccontextmanager
async def carried(bearer: Bearer | None = None) -> AsyncIterator[tuple[FakeGateway, Client]]:
    gateway = FakeGateway()
    async with serving(gateway) as url:
        client = Client(url, bearer)
        try:
            yield gateway, client
        finally:
            await client.close()
