"""``lockgate stdio``: for clients that only speak stdio. A thin shim before a gateway over HTTP.

Starts fast: it imports none of the gateway's engines. It judges nothing; it carries lines to the
gateway under a personal key, and answers back. stdout carries MCP only; complaints go to stderr.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from lockgate.wire.streams import LineDecoder, SseDecoder, encode_line

DEFAULT_URL = "http://127.0.0.1:8765/mcp"
_MOST_BYTES = 16 * 2**20
_UNREACHABLE = -31000
_META_VERSION = "io.modelcontextprotocol/protocolVersion"
_CONNECT = timedelta(seconds=5)
_LAST_ANSWERS_SECONDS = 5.0


class Shim:
    """Lines in, POSTs out; answers and notifications back as lines.

    ``write`` takes one whole line. Modern requests are cancelled by closing their stream, as their
    transport does (MCP 2026-07-28, Cancellation); legacy cancellation is a message of its own.
    """

    def __init__(self, client: Client, url: str, key: str, write: Callable[[bytes], None]) -> None:
        self._client = client
        self._url = url
        self._headers = {
            "authorization": f"Bearer {key}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "lockgate-transport": "stdio",
        }
        self._write = write
        self._session = ""
        self._modern: dict[Any, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, line: bytes) -> None:
        """One message. ``initialize`` is awaited: what follows needs its session."""
        message = _peek(line)
        if self._cancels(message):
            return
        task = asyncio.create_task(self._forward(line, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if _is_modern(message) and "id" in message:
            self._modern[message["id"]] = task
            task.add_done_callback(lambda _: self._modern.pop(message["id"], None))
        if message.get("method") == "initialize":
            await task

    async def finish(self) -> None:
        """The client closed its end: let what runs be answered, then end the session."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LAST_ANSWERS_SECONDS)
        if self._session:
            request = self._client.delete(self._url).headers(self._headers)
            with suppress(PyreqwestError):
                await request.header("mcp-session-id", self._session).build().send()

    def _cancels(self, message: dict[str, Any]) -> bool:
        if message.get("method") != "notifications/cancelled":
            return False
        running = self._modern.get(message.get("params", {}).get("requestId"))
        if running is not None:
            running.cancel()
        return running is not None

    async def _forward(self, line: bytes, message: dict[str, Any]) -> None:
        try:
            await self._post(line)
        except PyreqwestError as failure:
            _complain(f"the gateway at {self._url} cannot be reached: {type(failure).__name__}")
            if "id" in message and "method" in message:
                self._write(encode_line(_unreachable(message["id"])))

    async def _post(self, line: bytes) -> None:
        request = self._client.post(self._url).headers(self._headers).body_bytes(line)
        if self._session:
            request = request.header("mcp-session-id", self._session)
        async with request.build_streamed() as response:
            self._session = response.headers.get("mcp-session-id") or self._session
            streamed = (response.headers.get("content-type") or "").startswith("text/event-stream")
            await (self._relay_stream(response) if streamed else self._relay_body(response))

    async def _relay_body(self, response: Any) -> None:
        body = bytes(await response.bytes())
        if body:
            self._write(encode_line(body))

    async def _relay_stream(self, response: Any) -> None:
        decoder = SseDecoder(_MOST_BYTES)
        while chunk := await response.body_reader.read_chunk():
            for event in decoder.feed(bytes(chunk)):
                self._write(encode_line(event.data))


async def carry(url: str, key: str, source: BinaryIO, sink: BinaryIO) -> None:
    """Carry until ``source`` ends."""
    reader = asyncio.StreamReader(limit=2**20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)

    def write(line: bytes) -> None:
        sink.write(line)
        sink.flush()

    lines = LineDecoder(_MOST_BYTES)
    builder = ClientBuilder().follow_redirects(False).no_proxy().connect_timeout(_CONNECT)
    async with builder.build() as client:
        shim = Shim(client, url, key, write)
        while chunk := await reader.read(2**16):
            for line in lines.feed(chunk):
                await shim.take(line)
        await shim.finish()


def run() -> int:
    """Exit codes: 0 the client closed, 2 bad usage, 3 no usable key."""
    arguments = sys.argv[2:]
    options = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if len(arguments) % 2 or not options.keys() <= {"--url", "--key-file"}:
        _complain(USAGE)
        return 2
    key = _key(options.get("--key-file"))
    if not key:
        return 3
    url = options.get("--url") or os.environ.get("LOCKGATE_URL") or DEFAULT_URL
    asyncio.run(carry(url, key, sys.stdin.buffer, sys.stdout.buffer))
    return 0


USAGE = f"""usage: lockgate stdio [--url URL] [--key-file FILE]

Speaks MCP on standard input and output, and passes everything to a running Lockgate.

  --url       MCP endpoint of the gateway (or LOCKGATE_URL; default {DEFAULT_URL}).
              Use .../mcp for everything, .../mcp/<upstream> for one server.
  --key-file  file that holds your personal key (or the variable LOCKGATE_KEY)."""


def _key(file: str | None) -> str:
    if file is None:
        key = os.environ.get("LOCKGATE_KEY", "").strip()
        if not key:
            _complain("no key: set LOCKGATE_KEY or give --key-file")
        return key
    try:
        key = Path(file).expanduser().read_text().strip()
    except OSError as error:
        _complain(f"the key file {file} cannot be read: {error.strerror}")
        return ""
    if not key:
        _complain(f"the key file {file} is empty")
    return key


def _peek(line: bytes) -> dict[str, Any]:
    # Only to route; the gateway reads the line itself, strictly.
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _is_modern(message: dict[str, Any]) -> bool:
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return isinstance(meta, dict) and _META_VERSION in meta


def _unreachable(id: Any) -> bytes:
    said = "The gateway cannot be reached. Ask the operator whether Lockgate is running."
    return orjson.dumps(
        {"jsonrpc": "2.0", "id": id, "error": {"code": _UNREACHABLE, "message": said}}
    )


def _complain(text: str) -> None:
    sys.stderr.write(f"lockgate stdio: {text}\n")
