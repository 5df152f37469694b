"""An HTTP/1.1 client for one endpoint (RFC 9112): few connections, kept open, one request each.

Of its own because a request must end the moment nobody waits for it: to a modern upstream the
closed connection is the only cancellation there is. It follows no redirect, keeps no cookie, knows
no proxy and inflates nothing, so that the cap on an answer counts what is really there. What comes
on the wire is parsed by llhttp.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from typing import cast

import httptools

from lockgate.model import SendFailed
from lockgate.upstream.address import Address, cause

AROUND_BYTES = 2**16
"""Of a response, before, after, or between two bytes of its body."""
BUFFERED_BYTES = 2**18
"""Of a body that nobody has read yet, before its connection is read no further."""
REUSE_SECONDS = 4.0
"""How long idle connections are used again: common servers close them after 5 s, and nobody could
tell whether a request that crossed with that was done."""
IDLE = 32
"""Connections kept open."""
KEEPALIVE_SECONDS = 30
"""Between TCP probes, so that a quiet stream whose other end is gone is noticed."""


class Response:
    """One response, while it arrives. ``close`` it, or its connection is never used again."""

    def __init__(self, connection: "_Connection") -> None:
        self.status = 0
        self.began: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.clean = False
        """All of it has come, nothing else has, and another may follow."""
        self._connection = connection
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._around = 0
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._ended = False
        self._failure: SendFailed | None = None
        self._more: asyncio.Future[None] | None = None

    def header(self, name: str) -> str | None:
        """The first of that name."""
        found = self._headers.get(name.lower().encode())
        return None if found is None else found.decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        """By lower-case name; of repeated ones the first."""
        return {k.decode("latin-1"): v.decode("latin-1") for k, v in self._headers.items()}

    async def read(self) -> bytes:
        """Some bytes of the body; none at its end. Raises ``SendFailed``."""
        while not self._chunks:
            if self._ended:
                return b""
            if self._failure:
                raise SendFailed(*self._failure.args)
            self._more = asyncio.get_running_loop().create_future()
            await self._more
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._buffered = 0
        self._connection.read_on(True)
        return data

    def close(self) -> None:
        """No more of it is wanted. What has not come yet is cut off with the connection."""
        self._connection.done(self)

    def feed(self, data: bytes) -> None:
        self._around += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.clean = False
            self.fail("upstream.garbage", "no HTTP response")
        if self._around > AROUND_BYTES:
            self.fail("upstream.too-large", f"{AROUND_BYTES} bytes around its body")

    def lost(self, *, orderly: bool) -> None:
        """The connection ended."""
        self.clean = False
        framed = b"content-length" in self._headers or b"transfer-encoding" in self._headers
        if self.status and orderly and not framed:
            self._ended = True
            self._wake()
        else:
            when = "in the middle of" if self.status else "before"
            self.fail("upstream.crashed", f"the connection ended {when} the answer")

    def fail(self, reason: str, detail: str) -> None:
        """The first failure counts, and only until the response is whole."""
        if self._ended or self._failure:
            return
        self._failure = SendFailed(reason, detail)
        if not self.began.done():
            self.began.set_exception(SendFailed(reason, detail))
        self._wake()
        self._connection.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.setdefault(name.lower(), value)

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # RFC 9110, section 15.2: the response proper follows.
            self._headers.clear()
            return
        self.status = status
        if not self.began.done():
            self.began.set_result(None)

    def on_body(self, data: bytes) -> None:
        if self._ended:
            return  # of another response, that nobody asked for
        self._chunks.append(data)
        self._around = 0
        self._buffered += len(data)
        if self._buffered > BUFFERED_BYTES:
            self._connection.read_on(False)
        self._wake()

    def on_message_begin(self) -> None:
        self.clean = False

    def on_message_complete(self) -> None:
        if self.status and not self._ended:
            self._ended = True
            self.clean = self._parser.should_keep_alive()
            self._wake()

    def _wake(self) -> None:
        if self._more and not self._more.done():
            self._more.set_result(None)


class _Connection(asyncio.Protocol):
    def __init__(self, client: "HttpClient") -> None:
        self._client = client
        self._transport: asyncio.Transport | None = None
        self._response: Response | None = None
        self._reading = True
        self.since = 0.0
        """When it became idle."""

    def ask(self, request: bytes) -> Response:
        self._response = Response(self)
        if self._transport:
            self._transport.write(request)
        return self._response

    @property
    def closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def done(self, response: Response) -> None:
        if self._response is not response:
            return
        self._response = None
        if response.clean and self._reading:
            self._client.rest(self)
        else:
            self.abort()

    def abort(self) -> None:
        if self._transport:
            self._transport.abort()

    def read_on(self, wanted: bool) -> None:
        if self._transport and wanted is not self._reading:
            self._reading = wanted
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A stream is what was asked for; uvloop's does not say so of itself.
        self._transport = cast("asyncio.Transport", transport)
        _keep_alive(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        if self._response:
            self._response.feed(data)
        else:
            self.abort()  # Nobody asked: it would be taken for the answer to what comes next.

    def connection_lost(self, failure: Exception | None) -> None:
        self._client.forget(self)
        if self._response:
            self._response.lost(orderly=failure is None)


class HttpClient:
    """Everything of one endpoint goes over it."""

    def __init__(
        self,
        url: str,
        connect_seconds: float,
        context: ssl.SSLContext | None = None,
        *,
        peer: str | None = None,
    ) -> None:
        """``context``: instead of the system's trust store. ``peer``: the IP address to connect
        to, instead of asking for the host's; the certificate must be the host's all the same. An
        invalid URL is told on use."""
        self._url = url
        self._connect_seconds = connect_seconds
        self._context = context
        self._peer = peer
        self._connections: set[_Connection] = set()
        self._idle: list[_Connection] = []

    async def send(self, verb: str, headers: Mapping[str, str], body: bytes = b"") -> Response:
        """The response, when its head is there. Cancelling this closes the connection.

        Raises ``SendFailed``. Nothing is ever sent twice.
        """
        request = self._address.head(verb, headers, body) + body
        response = (self._rested() or await self._connect()).ask(request)
        with ExitStack() as undo:
            undo.callback(response.close)
            await response.began
            undo.pop_all()
        return response

    async def close(self) -> None:
        for one in list(self._connections):
            one.abort()

    def rest(self, connection: _Connection) -> None:
        """It may be used again."""
        connection.since = asyncio.get_running_loop().time()
        self._idle.append(connection)
        if len(self._idle) > IDLE:
            self._idle.pop(0).abort()

    def forget(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    @cached_property
    def _address(self) -> Address:
        return Address.of(self._url)

    @cached_property
    def _secured(self) -> ssl.SSLContext:
        return self._context or ssl.create_default_context()

    def _rested(self) -> _Connection | None:
        oldest = asyncio.get_running_loop().time() - REUSE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.since >= oldest and not connection.closing:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> _Connection:
        at = self._address
        context, name = (self._secured, at.host) if at.secure else (None, None)
        loop, peer = asyncio.get_running_loop(), self._peer or at.host
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self), peer, at.port, ssl=context, server_hostname=name
                )
        except TimeoutError:
            detail = f"no connection in {self._connect_seconds:g} s"
            raise SendFailed("upstream.unreachable", detail) from None
        except (OSError, UnicodeError) as failure:
            raise SendFailed("upstream.unreachable", cause(failure)) from None
        self._connections.add(connection)
        return connection


def _keep_alive(connected: socket.socket) -> None:
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):  # not on every system
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), KEEPALIVE_SECONDS)
