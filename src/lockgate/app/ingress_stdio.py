"""``lockgate stdio``: for clients that only speak stdio. A thin shim before a gateway over HTTP.

Starts fast: it imports none of the gateway's engines. It judges nothing; it carries lines to the
gateway under a personal key, and answers back. stdout carries MCP only; complaints go to stderr.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.http import Url

from lockgate.wire import edit
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.streams import LineDecoder, SseDecoder, encode_line

DEFAULT_URL = "http://127.0.0.1:8765/mcp"
_MOST_BYTES = 16 * 2**20
_META_VERSION = "io.modelcontextprotocol/protocolVersion"
_CONNECT = timedelta(seconds=5)
_LAST_ANSWERS_SECONDS = 5.0
_NO_ANSWER = (202, 204)
_UNREACHABLE = (
    b'{"jsonrpc":"2.0","id":%b,"error":{"code":-31000,"message":"The gateway cannot be reached. '
    b'Ask the operator whether Lockgate is running."}}\n'
)


class NotMcp(Exception):
    """What answered is no MCP endpoint."""


class Underway:
    """One line of the client's, until it has been answered."""

    def __init__(self, line: bytes) -> None:
        self.line = line
        self.fields = _peek(line)
        self.method = self.fields.get("method")
        self.id = edit.get(line, "/id") if self.method is not None else None
        """As the client wrote it, so that ``1`` and ``"1"`` are two; None for what asks nothing."""
        self.cancelled = False
        self._task: asyncio.Task[None] | None = None
        self._began = False

    def run(self, forwarding: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        self._task = asyncio.create_task(forwarding)
        return self._task

    def begin(self) -> None:
        """The answer begins. Only from here on pyreqwest 0.15 can be interrupted."""
        self._began = True

    def cancel(self) -> None:
        """At once, or when the answer begins: with the gateway's first keep-alive at the latest."""
        self.cancelled = True
        if self._began and self._task is not None:
            self._task.cancel()


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
        self._modern: dict[bytes, Underway] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, line: bytes) -> None:
        """One message. ``initialize`` is awaited: what follows needs its session."""
        said = Underway(line)
        if said.method == "notifications/cancelled" and self._cancel(line):
            return
        task = said.run(self._forward(said))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        id = said.id
        if id is not None and _is_modern(said.fields):
            self._modern[id] = said
            task.add_done_callback(lambda _: self._modern.pop(id, None))
        if said.method == "initialize":
            await task

    async def finish(self) -> None:
        """The client closed its end: let what runs be answered, then end the session."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LAST_ANSWERS_SECONDS)
        if self._session:
            request = self._client.delete(self._url).headers(self._headers)
            with suppress(PyreqwestError):
                await request.header("mcp-session-id", self._session).build().send()

    def _cancel(self, line: bytes) -> bool:
        running = self._modern.get(edit.get(line, "/params/requestId") or b"")
        if running is not None:
            running.cancel()
        return running is not None

    async def _forward(self, said: Underway) -> None:
        try:
            await self._post(said)
        except (PyreqwestError, WireRefusal, NotMcp) as failure:
            _complain(f"no answer from the gateway at {self._url}: {type(failure).__name__}")
            if said.id is not None and not said.cancelled:
                self._write(_UNREACHABLE % said.id)

    async def _post(self, said: Underway) -> None:
        request = self._client.post(self._url).headers(self._headers).body_bytes(said.line)
        if self._session:
            request = request.header("mcp-session-id", self._session)
        # A buffer would hold notifications back until it is full.
        async with request.streamed_read_buffer_limit(0).build_streamed() as response:
            said.begin()
            if said.cancelled:
                return
            self._session = response.headers.get("mcp-session-id") or self._session
            streamed = (response.headers.get("content-type") or "").startswith("text/event-stream")
            if streamed:
                await self._relay_stream(response)
                return
            body = bytes(await response.bytes())
        if not body and response.status in _NO_ANSWER:
            return
        if "jsonrpc" not in _peek(body):
            raise NotMcp
        if said.id is not None or said.method is None:  # to what asks nothing, nothing is said
            self._write(encode_line(_addressed(body, said.id)))

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
        try:
            while chunk := await reader.read(2**16):
                for line in lines.feed(chunk):
                    await shim.take(line)
        except WireRefusal:
            _complain("the client sent a message of more than 16 MiB")
        await shim.finish()


def run() -> int:
    """Exit codes: 0 the client closed or sent too much, 2 bad usage, 3 no usable key."""
    arguments = sys.argv[2:]
    options = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if len(arguments) % 2 or not options.keys() <= {"--url", "--key-file"}:
        _complain(USAGE)
        return 2
    key = _key(options.get("--key-file"))
    if not key:
        return 3
    url = options.get("--url") or os.environ.get("LOCKGATE_URL") or DEFAULT_URL
    if not _is_http(url):
        _complain(f"not an http:// or https:// URL: {url}")
        return 2
    asyncio.run(carry(url, key, sys.stdin.buffer, sys.stdout.buffer))
    return 0


USAGE = f"""usage: lockgate stdio [--url URL] [--key-file FILE]

Speaks MCP on standard input and output, and passes everything to a running Lockgate.

  --url       MCP endpoint of the gateway (or LOCKGATE_URL; default {DEFAULT_URL}).
              Use .../mcp for everything, .../mcp/<upstream> for one server.
  --key-file  file that holds your personal key (or the variable LOCKGATE_KEY)."""


def _key(file: str | None) -> str:
    """Empty, after saying why, for what cannot be one."""
    if file is None:
        key, place = os.environ.get("LOCKGATE_KEY", "").strip(), "LOCKGATE_KEY"
        if not key:
            _complain("no key: set LOCKGATE_KEY or give --key-file")
            return ""
    else:
        place = f"the key file {file}"
        try:
            key = Path(file).expanduser().read_text(errors="replace").strip()
        except OSError as error:
            _complain(f"{place} cannot be read: {error.strerror}")
            return ""
    if not (key.isascii() and key.isprintable() and " " not in key) or not key:
        _complain(f"{place} does not hold one key and nothing else")
        return ""
    return key


def _is_http(url: str) -> bool:
    try:
        return Url(url).scheme in ("http", "https")
    except ValueError:
        return False


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


def _addressed(body: bytes, id: bytes | None) -> bytes:
    """A refusal that came before the message was read names no request. On HTTP it answers the
    POST; on stdio only an id says what it answers."""
    if id is not None and edit.get(body, "/id") == b"null":
        return edit.put(body, "/id", id)
    return body


def _complain(text: str) -> None:
    sys.stderr.write(f"lockgate stdio: {text}\n")
