"""A small streamable HTTP MCP server over raw ASGI, good or bad as each request asks.

The name of the tool that is called says what happens. What was received is kept, so that tests see
what the gateway really sent.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import uvicorn

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
INFO = {"name": "endpoint", "version": "1"}

Json = dict[str, Any]
Asgi = Callable[..., Awaitable[None]]


class Received(msgspec.Struct, frozen=True):
    verb: str
    headers: list[tuple[str, str]]
    message: Json

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


class FakeEndpoint:
    """``era``: ``modern``, ``legacy`` (with sessions) or ``plain`` (legacy without them)."""

    def __init__(self, era: str = "modern", capabilities: Json | None = None) -> None:
        self.era = era
        self.capabilities = capabilities or {"tools": {}}
        self.initialized: Json = {}
        """What the last ``initialize`` said."""
        self.levels: list[str] = []
        self.received: list[Received] = []
        self.sessions: set[str] = set()
        self.opened = 0
        self.arrived = asyncio.Event()
        """A call that will not be answered has been read."""
        self.gone = asyncio.Event()
        """Its client has closed the stream."""
        self.told = asyncio.Event()
        """A notification or a response to the endpoint's own request came."""

    def answer_to(self, id: object) -> Json:
        """The response to what this endpoint asked."""
        said = (one.message for one in self.received if "method" not in one.message)
        return next(message for message in said if message.get("id") == id)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            part = await receive()
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        headers = [(k.decode(), v.decode()) for k, v in scope["headers"]]
        message = json.loads(body) if body else {}
        got = Received(scope["method"], headers, message)
        self.received.append(got)
        await self._handle(got, Out(receive, send))

    async def _handle(self, got: Received, out: "Out") -> None:
        message = got.message
        if got.verb == "DELETE":
            self.sessions.discard(got.header("mcp-session-id") or "")
            await out.json(200, {})
        elif got.verb == "GET":
            await self._stream(got, out)
        elif "id" not in message or "method" not in message:
            await out.empty(202)
            self.told.set()
        elif self.era == "legacy" and message["method"] != "initialize":
            await self._in_session(got, out)
        else:
            await self._answer(message, out)

    async def _stream(self, got: Received, out: "Out") -> None:
        await out.text(405, "no stream")

    async def _in_session(self, got: Received, out: "Out") -> None:
        session = got.header("mcp-session-id")
        if session in self.sessions:
            await self._answer(got.message, out)
        elif session is None:
            await out.error(400, None, -32000, "Server not initialized")
        else:
            await out.error(404, None, -32001, "Session not found")

    async def _answer(self, message: Json, out: "Out") -> None:
        method = message["method"]
        if method == "initialize":
            await self._initialize(message, out)
        elif method == "server/discover" and self.era == "modern":
            meta = {"io.modelcontextprotocol/serverInfo": INFO}
            can = self.capabilities
            found = {"supportedVersions": [MODERN], "capabilities": can, "_meta": meta}
            await out.result(message, found)
        elif method == "logging/setLevel":
            self.levels.append(message["params"]["level"])
            await out.result(message, {})
        elif method == "tools/list":
            await self._list(message, out)
        elif method == "tools/call":
            await self._call(message, out)
        else:
            await out.error(404 if self.era == "modern" else 200, message["id"], -32601, "no")

    async def _initialize(self, message: Json, out: "Out") -> None:
        if self.era == "modern":
            await out.error(404, message["id"], -32601, "no")
            return
        self.opened += 1
        session = f"session-{self.opened}"
        headers = []
        if self.era == "legacy":
            self.sessions.add(session)
            headers = [("mcp-session-id", session)]
        self.initialized = message["params"]
        can = self.capabilities
        said = {"protocolVersion": LEGACY, "capabilities": can, "serverInfo": INFO}
        await out.result(message, said, headers)

    async def _list(self, message: Json, out: "Out") -> None:
        """Three pages of two tools; the second's cursor is empty, which is a cursor too."""
        at = {None: 0, "": 1, "last": 2}[message["params"].get("cursor")]
        tools = [{"name": f"tool-{at}-{n}", "inputSchema": {}, "x": 1.50} for n in (0, 1)]
        result: Json = {"tools": tools, "nextCursor": ["", "last", None][at]}
        await out.result(message, {k: v for k, v in result.items() if v is not None})

    async def _call(self, message: Json, out: "Out") -> None:
        name = message["params"]["name"]
        act = getattr(self, f"do_{name}", None)
        if name.startswith("status-"):
            await out.text(int(name.removeprefix("status-")), "<p>not MCP</p>")
        elif act:
            await act(message, out)
        else:
            arguments = message["params"].get("arguments")
            await out.result(message, {"content": [], "structuredContent": arguments})

    async def do_hang(self, message: Json, out: "Out") -> None:
        self.arrived.set()
        await out.gone()
        self.gone.set()

    async def do_hang_stream(self, message: Json, out: "Out") -> None:
        await out.begin("text/event-stream")
        await out.more(b": here\n\n")
        await self.do_hang(message, out)

    async def do_large(self, message: Json, out: "Out") -> None:
        text = "x" * message["params"]["arguments"]["n"]
        await out.result(message, {"content": [{"type": "text", "text": text}]})

    async def do_endless(self, message: Json, out: "Out") -> None:
        """JSON that never ends, until the client closes."""
        await out.begin("application/json")
        await out.more(b'{"x":"')
        gone = asyncio.ensure_future(out.gone())
        while not gone.done():
            await out.more(b"x" * 65536)
            await asyncio.sleep(0)
        self.gone.set()

    async def do_endless_stream(self, message: Json, out: "Out") -> None:
        await out.begin("text/event-stream")
        noise = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x" * 999}}
        gone = asyncio.ensure_future(out.gone())
        while not gone.done():
            await out.event(noise)
            await asyncio.sleep(0)
        self.gone.set()

    async def do_progress(self, message: Json, out: "Out") -> None:
        token = message["params"]["_meta"]["progressToken"]
        await out.begin("text/event-stream")
        await out.more(b"id: 1\ndata:\n\n")  # SEP-1699: primes a later reconnection.
        for number, mine in ((1, token), (2, "somebody-else"), (3, token)):
            params = {"progressToken": mine, "progress": number}
            await out.event(
                {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
            )
        for level in ("debug", "error"):
            params = {"level": level, "data": 1}
            await out.event({"jsonrpc": "2.0", "method": "notifications/message", "params": params})
        result: Json = {"content": []}
        await out.event({"jsonrpc": "2.0", "id": message["id"], "result": result})
        await out.end()

    async def do_ask(self, message: Json, out: "Out") -> None:
        """Ask the client something on the stream; answer when it has said no."""
        await out.begin("text/event-stream")
        await out.event({"jsonrpc": "2.0", "id": 900, "method": "roots/list"})
        await self.told.wait()
        await out.event({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}})
        await out.end()

    async def do_ask_and_answer(self, message: Json, out: "Out") -> None:
        await out.begin("text/event-stream")
        await out.event({"jsonrpc": "2.0", "id": 900, "method": "roots/list"})
        await out.event({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}})
        await out.end()

    async def do_rounds(self, message: Json, out: "Out") -> None:
        said = {
            "resultType": "input_required",
            "inputRequests": {"a": {"method": "elicitation/create", "params": {}}},
            "requestState": message["params"]["requestState"],
            "x": 1.50,
        }
        await out.result(message, said)

    async def do_cut(self, message: Json, out: "Out") -> None:
        await out.begin("text/event-stream")
        await out.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})
        await out.end()

    async def do_garbage(self, message: Json, out: "Out") -> None:
        await out.begin("application/json")
        await out.more(b'{"jsonrpc":"2.0","id":1,"id":2}')
        await out.end()

    async def do_other_id(self, message: Json, out: "Out") -> None:
        await out.json(200, {"jsonrpc": "2.0", "id": 77777, "result": {}})

    async def do_bad_params(self, message: Json, out: "Out") -> None:
        await out.error(400, message["id"], -32602, "bad params")

    async def do_upgraded(self, message: Json, out: "Out") -> None:
        await out.error(400, message["id"], -32022, "no such version any more")

    async def do_redirect(self, message: Json, out: "Out") -> None:
        await out.begin("text/plain", 307, [("location", "/elsewhere")])
        await out.end()

    async def do_cookie(self, message: Json, out: "Out") -> None:
        await out.result(message, {"content": []}, [("set-cookie", "a=b; Path=/")])


class Out:
    """One HTTP response."""

    def __init__(self, receive: Any, send: Any) -> None:
        self._receive = receive
        self._send = send

    async def begin(
        self, kind: str, status: int = 200, headers: list[tuple[str, str]] | None = None
    ) -> None:
        said = [("content-type", kind), *(headers or [])]
        raw = [(k.encode(), v.encode()) for k, v in said if v]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def more(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def event(self, message: Json) -> None:
        await self.more(b"data: " + json.dumps(message).encode() + b"\n\n")

    async def end(self, data: bytes = b"") -> None:
        await self._send({"type": "http.response.body", "body": data})

    async def gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue

    async def json(
        self, status: int, body: object, headers: list[tuple[str, str]] | None = None
    ) -> None:
        await self.begin("application/json", status, headers)
        await self.end(json.dumps(body).encode())

    async def text(self, status: int, body: str) -> None:
        await self.begin("text/html", status)
        await self.end(body.encode())

    async def empty(self, status: int) -> None:
        await self.begin("", status)
        await self.end()

    async def result(
        self, message: Json, result: Json, headers: list[tuple[str, str]] | None = None
    ) -> None:
        await self.json(200, {"jsonrpc": "2.0", "id": message["id"], "result": result}, headers)

    async def error(self, status: int, id: object, code: int, text: str) -> None:
        error = {"code": code, "message": text}
        await self.json(status, {"jsonrpc": "2.0", "id": id, "error": error})


class _Server(uvicorn.Server):
    """Says when it is ready, and leaves the test's signal handlers alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()

    async def main_loop(self) -> None:
        await self.stopping.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def serving(app: Asgi) -> AsyncIterator[str]:
    """The app's URL on a free port of 127.0.0.1, for as long as the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, lifespan="off", log_level="error", timeout_graceful_shutdown=0)
        server = _Server(config)
        running = asyncio.create_task(server._serve([listening]))
        await server.ready.wait()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        finally:
            server.stopping.set()
            await running
