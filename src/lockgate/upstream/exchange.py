"""One POST to a streamable HTTP endpoint, and what comes back for it.

The answer is a JSON body, or a stream of events of which one is the response (MCP, "Transports",
Streamable HTTP). Either is read under a cap while it arrives; a connection that goes over it, or
that nobody waits for any more, is dropped.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec

from lockgate.model import SendFailed
from lockgate.upstream.http1 import HttpClient, Response
from lockgate.wire import jsonrpc
from lockgate.wire.jsonrpc import Message
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.streams import SseDecoder, SseEvent
from lockgate.wire.strict_json import Limits

ACCEPT = "application/json, text/event-stream"
STREAM = "text/event-stream"
STREAM_FACTOR = 4
"""All events of one answer together may hold this many times what one message may."""
CLOSING_SECONDS = 0.02
"""A stream that ends right after its response leaves a connection that can be used again."""

T = TypeVar("T")
Heard = Callable[[Message], object]
"""Told each message on the stream that is not the response."""


class Place(msgspec.Struct):
    """Where on a stream we are."""

    last_id: str | None = None
    """Of the last event; without one the stream cannot be resumed."""
    retry_ms: int | None = None
    """How long the server wants us to wait before we come back."""


class Answer(msgspec.Struct, frozen=True):
    status: int
    message: Message | None = None
    """The response; None where the body held none."""
    session: str | None = None
    """``Mcp-Session-Id`` as sent with the response."""
    challenge: str = ""
    """``WWW-Authenticate``."""
    left: Place | None = None
    """The stream ended before the response, and can be resumed here."""


class Capped:
    """A response body that refuses to grow over ``most`` bytes."""

    def __init__(self, response: Response, most: int | None) -> None:
        self._response = response
        self._most = most
        self._total = 0

    async def next(self) -> bytes:
        """Some bytes; none at the end. Raises ``WireRefusal("wire.too-large")``."""
        chunk = await self._response.read()
        self._total += len(chunk)
        if self._most is not None and self._total > self._most:
            raise WireRefusal("wire.too-large", f"more than {self._most} bytes")
        return chunk


async def post(
    client: HttpClient,
    headers: Mapping[str, str],
    body: bytes,
    *,
    number: int,
    limits: Limits,
    heard: Heard,
    endless: bool = False,
) -> Answer:
    """Send ``body`` once and read the answer to the request with id ``number`` in it. ``endless``:
    its stream may hold any number of messages.

    Cancelling this closes the connection. Raises ``SendFailed``.
    """

    async def read(response: Response) -> Answer:
        return await _read(response, number, limits, heard, Place(), endless=endless)

    return await _with_response(client, "POST", headers, body, read)


async def resume(
    client: HttpClient,
    headers: Mapping[str, str],
    place: Place,
    *,
    number: int,
    limits: Limits,
    heard: Heard,
) -> Answer:
    """Read the stream of an earlier ``post`` on from ``place`` (MCP 2025-11-25, "Resumability").

    Raises ``SendFailed``.
    """
    headers = {**headers, "Last-Event-ID": place.last_id or ""}

    async def read(response: Response) -> Answer:
        if response.status != 200 or kind_of(response) != STREAM:
            detail = f"the stream ended before the response, and HTTP {response.status} after it"
            raise SendFailed("upstream.crashed", detail)
        return await _read(response, number, limits, heard, place)

    return await _with_response(client, "GET", headers, b"", read)


async def follow(
    client: HttpClient,
    headers: Mapping[str, str],
    place: Place,
    *,
    limits: Limits,
    heard: Heard,
    began: Callable[[], None],
) -> int:
    """Read the stream that belongs to no request (MCP 2025-11-25, "Listening for Messages from the
    Server"), from ``place`` on, to its end. Returns the HTTP status: 200 if there was a stream,
    of which ``began`` was told when it did.

    Raises ``SendFailed``.
    """
    if place.last_id:
        headers = {**headers, "Last-Event-ID": place.last_id}

    async def read(response: Response) -> int:
        if response.status != 200 or kind_of(response) != STREAM:
            return 405 if response.status == 200 else response.status
        began()
        stream = _Stream(Capped(response, None), limits, place)
        while message := await stream.next():
            heard(message)
        return 200

    return await _with_response(client, "GET", headers, b"", read)


async def delete(client: HttpClient, headers: Mapping[str, str]) -> None:
    """Whatever it answers. Raises ``SendFailed``."""

    async def leave(_: Response) -> None:
        return

    await _with_response(client, "DELETE", headers, b"", leave)


async def _with_response(
    client: HttpClient,
    verb: str,
    headers: Mapping[str, str],
    body: bytes,
    use: Callable[[Response], Awaitable[T]],
) -> T:
    response = await client.send(verb, headers, body)
    try:
        return await use(response)
    except WireRefusal as refusal:
        large = refusal.reason == "wire.too-large"
        reason = "upstream.too-large" if large else "upstream.garbage"
        raise SendFailed(reason, f"{refusal.reason}: {refusal.detail}") from None
    finally:
        response.close()


def kind_of(response: Response) -> str:
    """Its media type, in lower case and without parameters."""
    return (response.header("content-type") or "").partition(";")[0].strip().lower()


async def _read(
    response: Response,
    number: int,
    limits: Limits,
    heard: Heard,
    place: Place,
    *,
    endless: bool = False,
) -> Answer:
    kind, message, left = kind_of(response), None, None
    if kind == STREAM:
        body = Capped(response, None if endless else limits.bytes * STREAM_FACTOR)
        message = await _read_stream(body, limits, heard, place)
        left = place if message is None else None
    elif kind == "application/json":
        message = await _read_body(response, limits)
    if message is not None:
        _check(message, number)
    session, challenge = response.header("mcp-session-id"), response.header("www-authenticate")
    return Answer(response.status, message, session, challenge or "", left)


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


async def _read_stream(body: Capped, limits: Limits, heard: Heard, place: Place) -> Message | None:
    """The response; None where the stream ends before it, but can be resumed."""
    try:
        stream = _Stream(body, limits, place)
        while message := await stream.next():
            if message.kind == "response":
                await _let_end(body)
                return message
            heard(message)
    except SendFailed as failure:
        if failure.reason != "upstream.crashed":
            raise
    if not place.last_id:
        raise SendFailed("upstream.crashed", "the stream ended before the response")
    return None


class _Stream:
    """The messages of an event stream. ``place`` always says how far they have been taken."""

    def __init__(self, body: Capped, limits: Limits, place: Place) -> None:
        self._body = body
        self._limits = limits
        self._place = place
        self._decoder = SseDecoder(limits.bytes)
        self._events: deque[SseEvent] = deque()

    async def next(self) -> Message | None:
        """None at the end. Raises ``WireRefusal`` and ``SendFailed``."""
        while True:
            while self._events:
                event = self._events.popleft()
                self._place.last_id = event.id if event.id is not None else self._place.last_id
                if event.data:  # else it primes for a later reconnection (SEP-1699)
                    return jsonrpc.parse(event.data, self._limits)
            self._mark()
            chunk = await self._body.next()
            if not chunk:
                return None
            self._events.extend(self._decoder.feed(chunk))

    def _mark(self) -> None:
        """What was said since the last event."""
        decoder, place = self._decoder, self._place
        place.last_id = decoder.last_id if decoder.last_id is not None else place.last_id
        place.retry_ms = decoder.retry if decoder.retry is not None else place.retry_ms


def _check(message: Message, number: int) -> None:
    """A response to us: by id, or an error about a request whose id could not be read."""
    if message.kind != "response" or message.id not in (number, None):
        raise WireRefusal("wire.not-jsonrpc", "not the response to what was asked")


async def _let_end(body: Capped) -> None:
    try:
        async with asyncio.timeout(CLOSING_SECONDS):
            await body.next()
    except (TimeoutError, WireRefusal, SendFailed):
        return
