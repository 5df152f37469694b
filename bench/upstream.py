"""A fast MCP server over HTTP, for both eras: it must never be what is measured.

``python -m bench.upstream PORT TOOLS``. ``/json...`` answers with JSON, ``/sse...`` with a stream.
Keeps no session and no state. Its tools echo the argument ``text``.
"""

import asyncio
import sys
from typing import Any, cast

import httptools
import orjson
import uvloop

from bench.messages import INPUT_SCHEMA, LEGACY, MODERN

_INFO = {"name": "bench-upstream", "version": "1"}
_CAPABILITIES: dict[str, Any] = {"tools": {}}
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
_NOT_HERE = b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n"


class Upstream(asyncio.Protocol):
    """One connection."""

    tools = 1

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body = []

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._transport is None:
            return
        if self._parser.get_method() != b"POST":
            self._transport.write(_NOT_HERE)
            return
        message = orjson.loads(b"".join(self._body))
        if "id" not in message or "method" not in message:
            self._transport.write(_ACCEPTED)
            return
        said = {"jsonrpc": "2.0", "id": message["id"], **answer(message, self.tools)}
        self._transport.write(_framed(orjson.dumps(said), stream=self._url.startswith(b"/sse")))


def answer(message: dict[str, Any], tools: int) -> dict[str, Any]:
    """``result`` or ``error`` of one request."""
    params = message.get("params") or {}
    modern = "io.modelcontextprotocol/protocolVersion" in params.get("_meta", {})
    result = _result(message["method"], params, tools)
    if result is None:
        return {"error": {"code": -32601, "message": "Method not found"}}
    return {"result": {**result, "resultType": "complete"} if modern else result}


def _result(method: str, params: dict[str, Any], tools: int) -> dict[str, Any] | None:
    match method:
        case "tools/call":
            text = params.get("arguments", {}).get("text", "")
            return {"content": [{"type": "text", "text": text}]}
        case "tools/list":
            return {"tools": [_tool(number) for number in range(tools)]}
        case "initialize":
            return {"protocolVersion": LEGACY, "capabilities": _CAPABILITIES, "serverInfo": _INFO}
        case "server/discover":
            meta = {"io.modelcontextprotocol/serverInfo": _INFO}
            return {"supportedVersions": [MODERN], "capabilities": _CAPABILITIES, "_meta": meta}
        case "ping":
            return {}
        case _:
            return None


def tool_name(number: int) -> str:
    return f"echo_{number}"


def _tool(number: int) -> dict[str, Any]:
    description = "Says again what it was told, as records do."
    return {"name": tool_name(number), "description": description, "inputSchema": INPUT_SCHEMA}


def _framed(body: bytes, *, stream: bool) -> bytes:
    if stream:
        event = b"event: message\ndata: " + body + b"\n\n"
        return (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
            b"\r\n%x\r\n%b\r\n0\r\n\r\n"
        ) % (len(event), event)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


async def _serve(port: int, tools: int) -> None:
    protocol = type("Counted", (Upstream,), {"tools": tools})
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
