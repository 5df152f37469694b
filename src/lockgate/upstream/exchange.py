"""One POST to a streamable HTTP endpoint, and what comes back for it.

The answer is a JSON body, or a stream of events of which one is the response (MCP, "Transports",
Streamable HTTP). Either is read under a cap while it arrives; a connection that goes over it, or
that nobody waits for any more, is dropped.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import ClassVar

import msgspec
from pyreqwest.client import Client
from pyreqwest.exceptions import (
    ConnectError,
    ConnectTimeoutError,
    PoolTimeoutError,
    PyreqwestError,
    RequestTimeoutError,
)
from pyreqwest.request import RequestBuilder
from pyreqwest.response import Response

from lockgate.model import SendFailed
from lockgate.wire import jsonrpc
from lockgate.wire.jsonrpc import Message
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.streams import SseDecoder
from lockgate.wire.strict_json import Limits

ACCEPT = "application/json, text/event-stream"
STREAM_FACTOR = 4
"""All events of one answer together may hold this many times what one message may."""
CLOSING_SECONDS = 0.02
"""A stream that ends right after its response leaves a connection that can be used again."""
MARGIN_SECONDS = 0.1
"""So that the caller's deadline comes first, and says what happened."""

Heard = Callable[[Message], None]
"""Told each message on the stream that is not the response."""


class Answer(msgspec.Struct, frozen=True):
    status: int
    message: Message | None = None
    """The response; None where the body held none."""
    session: str | None = None
    """``Mcp-Session-Id`` as sent with the response."""


class Capped:
    """A response body that refuses to grow over ``most`` bytes."""

    def __init__(self, response: Response, most: int) -> None:
        self._reader = response.body_reader
        self._most = most
        self._total = 0

    async def next(self) -> bytes:
        """Some bytes; none at the end. Raises ``WireRefusal("wire.too-large")``."""
        chunk = await self._reader.read_chunk()
        while chunk is not None and not len(chunk):
            chunk = await self._reader.read_chunk()
        if chunk is None:
            return b""
        self._total += len(chunk)
        if self._total > self._most:
            raise WireRefusal("wire.too-large", f"more than {self._most} bytes")
        return bytes(chunk)


async def post(
    client: Client,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    number: int,
    seconds: float,
    limits: Limits,
    heard: Heard,
) -> Answer:
    """Send ``body`` once and read the answer to the request with id ``number`` in it.

    Cancelling this closes the connection; before the answer began, as soon as it does, or after
    ``seconds``: until then pyreqwest 0.15 cannot be interrupted. Give the caller's own deadline.

    Raises ``SendFailed``.
    """
    building = _build(client, url, headers, body, seconds)
    with _translated():
        return await _Exchange(building, number, limits, heard).run()


def _build(
    client: Client, url: str, headers: Mapping[str, str], body: bytes, seconds: float
) -> RequestBuilder:
    try:
        building = client.post(url).headers(_unique(headers)).body_bytes(body)
    except ValueError:
        # Its text would quote the value, which may be a secret.
        detail = "the URL or a configured header is not valid"
        raise SendFailed("upstream.unreachable", detail) from None
    # A buffer would hold events back until it is full.
    building = building.streamed_read_buffer_limit(0)
    return building.timeout(timedelta(seconds=seconds + MARGIN_SECONDS))


class _Exchange:
    """Runs in a task of its own, so that it can be left behind and still end properly."""

    left_behind: ClassVar[set["asyncio.Task[Answer]"]] = set()

    def __init__(self, building: RequestBuilder, number: int, limits: Limits, heard: Heard) -> None:
        self._building = building
        self._number = number
        self._limits = limits
        self._heard = heard
        self._began = False
        self._abandoned = False

    async def run(self) -> Answer:
        task = asyncio.create_task(self._run())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._abandoned = True
            if self._began:
                task.cancel()
                await asyncio.wait({task})
            else:
                self.left_behind.add(task)
                task.add_done_callback(self._forget)
            raise

    async def _run(self) -> Answer:
        async with self._building.build_streamed() as response:
            self._began = True
            if self._abandoned:
                return Answer(response.status)
            return await _read(response, self._number, self._limits, self._heard)

    def _forget(self, task: "asyncio.Task[Answer]") -> None:
        self.left_behind.discard(task)
        if not task.cancelled():
            task.exception()


async def delete(client: Client, url: str, headers: Mapping[str, str]) -> None:
    """Whatever it answers. Raises ``SendFailed``."""
    with _translated():
        async with client.delete(url).headers(_unique(headers)).build_streamed():
            return


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except WireRefusal as refusal:
        large = refusal.reason == "wire.too-large"
        reason = "upstream.too-large" if large else "upstream.garbage"
        raise SendFailed(reason, f"{refusal.reason}: {refusal.detail}") from None
    except (ConnectError, ConnectTimeoutError, PoolTimeoutError) as failure:
        raise SendFailed("upstream.unreachable", cause(failure)) from None
    except RequestTimeoutError as failure:
        raise SendFailed("upstream.timeout", cause(failure)) from None
    except PyreqwestError as failure:
        raise SendFailed("upstream.crashed", cause(failure)) from None


def _unique(headers: Mapping[str, str]) -> dict[str, str]:
    """Later names win over earlier ones that differ only in case."""
    return {name.lower(): value for name, value in headers.items()}


def cause(failure: PyreqwestError) -> str:
    """The innermost cause. The outer texts quote the URL, which may hold a secret; and after a
    semicolon comes what the other side said, such as the names in its certificate."""
    details = getattr(failure, "details", None) or {}
    causes = details.get("causes") or [{"message": ""}]
    return f"{type(failure).__name__}: {causes[-1]['message'].partition(';')[0]}"


async def _read(response: Response, number: int, limits: Limits, heard: Heard) -> Answer:
    mime = response.content_type_mime()
    kind = mime.essence_str if mime else ""
    message = None
    if kind == "text/event-stream":
        message = await _read_stream(response, limits, heard)
    elif kind == "application/json":
        message = await _read_body(response, limits)
    if message is not None:
        _check(message, number)
    return Answer(response.status, message, response.get_header("mcp-session-id"))


async def _read_body(response: Response, limits: Limits) -> Message | None:
    body = Capped(response, limits.bytes)
    parts = []
    while chunk := await body.next():
        parts.append(chunk)
    text = b"".join(parts)
    try:
        return jsonrpc.parse(text, limits) if text.strip() else None
    except WireRefusal:
        if response.status >= 400:
            return None  # Whatever a proxy on the way has to say; the status says enough.
        raise


async def _read_stream(response: Response, limits: Limits, heard: Heard) -> Message:
    decoder = SseDecoder(limits.bytes)
    body = Capped(response, limits.bytes * STREAM_FACTOR)
    while chunk := await body.next():
        for event in decoder.feed(chunk):
            if not event.data:
                continue  # Primes the client for a later reconnection (SEP-1699).
            message = jsonrpc.parse(event.data, limits)
            if message.kind == "response":
                await _let_end(body)
                return message
            heard(message)
    raise SendFailed("upstream.crashed", "the stream ended before the response")


def _check(message: Message, number: int) -> None:
    """A response to us: by id, or an error about a request whose id could not be read."""
    if message.kind != "response" or message.id not in (number, None):
        raise WireRefusal("wire.not-jsonrpc", "not the response to what was asked")


async def _let_end(body: Capped) -> None:
    try:
        async with asyncio.timeout(CLOSING_SECONDS):
            await body.next()
    except (TimeoutError, WireRefusal, PyreqwestError):
        return
