"""A client that says exactly what a test tells it to, in either era, over real HTTP."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec
from pyreqwest.client import Client, ClientBuilder

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
_META = "io.modelcontextprotocol/"
ENVELOPE = {f"{_META}protocolVersion": MODERN, f"{_META}clientCapabilities": {}}
ACCEPT = "application/json, text/event-stream"
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri",
         "tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId"}  # fmt: skip

Json = dict[str, Any]


class Said(msgspec.Struct, frozen=True):
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    text: str
    events: tuple[Json, ...] = ()
    """Every message of a stream; of a plain answer, its one."""

    @property
    def body(self) -> Json:
        """The response: the last message."""
        return self.events[-1]

    @property
    def result(self) -> Json:
        assert "result" in self.body, self.text
        found: Json = self.body["result"]
        return found

    @property
    def reason(self) -> str:
        """The catalogue code of a refusal, in whichever form it came; empty for none."""
        if not self.events:
            return ""
        result = self.body.get("result")
        if result is not None:
            return str(result.get("_meta", {}).get("lockgate/reason", ""))
        return str(self.body["error"].get("data", {}).get("reason", ""))

    @property
    def call(self) -> str:
        """The call id that a refusal names."""
        meta = self.body.get("result", {}).get("_meta", {})
        return str(meta.get("lockgate/call") or self.body["error"]["data"]["call"])


class McpClient:
    """One person's client. ``url``: an endpoint of the gateway."""

    def __init__(self, http: Client, url: str, key: str) -> None:
        self.http = http
        self.url = url
        self.key = key
        self.session = ""

    def at(self, url: str) -> "McpClient":
        return McpClient(self.http, url, self.key)

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Said:
        sent = {
            "authorization": f"Bearer {self.key}", "content-type": "application/json",
            "accept": ACCEPT, **headers,
        }  # fmt: skip
        request = self.http.post(self.url).headers(sent).body_bytes(body)
        response = await request.build().send()
        return read(response.status, dict(response.headers), await response.text())

    async def modern(
        self,
        method: str,
        params: Json | None = None,
        id: object = 1,
        headers: Mapping[str, str] | None = None,
    ) -> Said:
        body = {"jsonrpc": "2.0", "id": id, "method": method, "params": enveloped(params)}
        mirrored = mirror(method, params or {})
        return await self.post(json.dumps(body).encode(), {**mirrored, **(headers or {})})

    async def call(self, tool: str, arguments: Json | None = None, id: object = 1) -> Said:
        return await self.modern("tools/call", {"name": tool, "arguments": arguments or {}}, id)

    async def open(self) -> str:
        """``initialize``: the session's id."""
        params = {"protocolVersion": LEGACY, "capabilities": {},
                  "clientInfo": {"name": "test", "version": "1"}}  # fmt: skip
        said = await self.legacy("initialize", params, session="")
        assert said.status == 200, said.text
        self.session = said.headers["mcp-session-id"]
        return self.session

    async def legacy(
        self, method: str, params: Json | None = None, id: object = 1, session: str | None = None
    ) -> Said:
        body = {"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}}
        return await self.post(json.dumps(body).encode(), self._in_session(session))

    async def notify(
        self, method: str, params: Json | None = None, session: str | None = None
    ) -> Said:
        body = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        return await self.post(json.dumps(body).encode(), self._in_session(session))

    async def close(self, session: str | None = None) -> Said:
        """DELETE of the session."""
        headers = {"authorization": f"Bearer {self.key}", **self._in_session(session)}
        response = await self.http.delete(self.url).headers(headers).build().send()
        return read(response.status, dict(response.headers), await response.text())

    def _in_session(self, session: str | None) -> dict[str, str]:
        token = self.session if session is None else session
        return {"mcp-session-id": token, "mcp-protocol-version": LEGACY} if token else {}


def enveloped(params: Json | None) -> Json:
    said = params or {}
    return {**said, "_meta": {**ENVELOPE, **said.get("_meta", {})}}


def mirror(method: str, params: Json) -> dict[str, str]:
    found = {"mcp-protocol-version": MODERN, "mcp-method": method}
    target = NAMED.get(method)
    if target and isinstance(params.get(target), str):
        found["mcp-name"] = params[target]
    return found


def read(status: int, headers: Mapping[str, str], text: str) -> Said:
    if headers.get("content-type", "").startswith("text/event-stream"):
        data = [e.split("data: ", 1)[1] for e in text.split("\n\n") if "data: " in e]
        return Said(status, headers, text, tuple(json.loads(d) for d in data))
    return Said(status, headers, text, (json.loads(text),) if text else ())


@asynccontextmanager
async def http_client() -> AsyncIterator[Client]:
    async with ClientBuilder().no_proxy().follow_redirects(False).build() as client:
        yield client


class Wire:
    """A raw connection, for what no HTTP client would send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """As much as is taken before the other side closes."""
        self.writer.write(data)
        try:
            await self.writer.drain()
        except ConnectionError:
            return

    async def rest(self, seconds: float = 20.0) -> bytes:
        """All that comes until the gateway closes. Raises ``TimeoutError`` if it does not."""
        said = b""
        async with asyncio.timeout(seconds):
            try:
                while chunk := await self.reader.read(65536):
                    said += chunk
            except ConnectionError:
                return said
        return said

    async def answer(self, seconds: float = 20.0) -> Said:
        return parse_answer(await self.rest(seconds))


def posted(base: str, path: str, key: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """A whole POST, for a client that is not going to wait for its answer."""
    lines = (f"{name}: {value}" for name, value in headers.items())
    return head(base, key, len(body), *lines, line=f"POST {path} HTTP/1.1") + body


def parse_answer(raw: bytes) -> Said:
    """One plain HTTP/1.1 answer."""
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return read(int(status.split(" ")[1]), {k.lower(): v for k, v in pairs}, body.decode())


@asynccontextmanager
async def wire_to(base: str) -> AsyncIterator[Wire]:
    address = urlsplit(base)
    assert address.hostname is not None
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


def head(
    base: str, key: str, length: int | None, *more: str, line: str = "POST /mcp HTTP/1.1"
) -> bytes:
    """The head of a POST as a decent client sends it, and ``more`` header lines."""
    lines: Sequence[str] = (
        line, f"host: {urlsplit(base).netloc}", f"authorization: Bearer {key}",
        "content-type: application/json", f"accept: {ACCEPT}",
        *([f"content-length: {length}"] if length is not None else []), *more,
    )  # fmt: skip
    return "".join(f"{one}\r\n" for one in lines).encode() + b"\r\n"
