"""One HTTP request and its answer, over raw ASGI, with bounds on size and time."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from typing import Any

from lockgate.identity.evidence import Evidence
from lockgate.pipeline.caller import Caller
from lockgate.wire.headers import Headers
from lockgate.wire.refusal import WireRefusal

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
HeaderList = Sequence[tuple[bytes, bytes]]

TRANSPORT_HEADER = "lockgate-transport"
"""Sent by ``lockgate stdio``."""
KEY_HEADER = "lockgate-key"
"""An API key beside an access token. Without the X- of old (RFC 6648)."""


LINGER_SECONDS = 2.0
"""How long a refused client may go on sending. Closing at once would reset the connection, and it
would never read why (RFC 9112, section 9.6)."""


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class Exchange:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope.get("query_string", b"")
        self.headers = Headers(scope["headers"])
        client = scope.get("client")
        self.peer: str = client[0] if client else ""
        """Replaced where a trusted proxy says who its client is, as is ``certificate``."""
        self.certificate: bytes = scope.get("client_certificate", b"")
        """DER of what the client has shown; empty for none."""
        self.caller: Caller | None = None
        """Once it is known who asks."""
        self.base = ""
        """Where the client reached us, without path; known once ``Host`` has been checked."""
        self.started = False
        self.over = False
        """Another application has answered, whatever it did afterwards."""
        self._whole = False
        self._scope = scope
        self._receive = receive
        self._send = send

    def evidence(self) -> Evidence:
        sent = self.headers.all
        return Evidence(
            tuple(sent("authorization")), self.peer, self.certificate, tuple(sent("dpop")),
            tuple(sent(KEY_HEADER)), method=self.method, url=self.base + self.path,
        )  # fmt: skip

    async def body(self, most: int, seconds: float) -> bytes:
        """Raises ``WireRefusal`` ``wire.too-large`` or ``wire.too-slow``, and ``ClientGone``."""
        declared = self.headers.one("content-length") or "0"
        if declared.isdecimal() and int(declared) > most:
            raise WireRefusal("wire.too-large")
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(seconds):
                while True:
                    event = await self._receive()
                    if event["type"] != "http.request":
                        raise ClientGone
                    size += len(event.get("body", b""))
                    self._whole = not event.get("more_body", False)
                    if size > most:
                        raise WireRefusal("wire.too-large")
                    parts.append(event.get("body", b""))
                    if self._whole:
                        return b"".join(parts)
        except TimeoutError as late:
            raise WireRefusal("wire.too-slow") from late

    async def hand_to(self, application: Application, body: bytes, scheme: str = "") -> None:
        """Let another ASGI application answer. ``body``: what was read of the request; ``scheme``:
        as the client sees it."""
        left = [{"type": "http.request", "body": body}]

        async def receive() -> MutableMapping[str, Any]:
            return left.pop() if left else await self._receive()

        async def send(message: MutableMapping[str, Any]) -> None:
            self.started = True
            self.over = not message.get("more_body", message["type"] == "http.response.start")
            await self._send(message)

        scope = {**self._scope, "scheme": scheme} if scheme else self._scope
        await application(scope, receive, send)

    async def closed(self) -> None:
        """Returns when the client closes the connection."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def answer(self, status: int, body: bytes, headers: HeaderList = ()) -> None:
        """The whole response at once."""
        sized = [*headers, (b"content-length", str(len(body)).encode())]
        await self.start(status, sized)
        await self._send({"type": "http.response.body", "body": body})

    async def turn_away(self, status: int, body: bytes, headers: HeaderList = ()) -> None:
        """Answer a request that may not have been read, throw away what comes, and close."""
        closing = (b"connection", b"close")
        await self.start(status, [*headers, (b"content-length", str(len(body)).encode()), closing])
        await self.write(body)
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not self._whole:
                    self._whole = not (await self._receive()).get("more_body", False)
        await self.write(b"", last=True)

    async def start(self, status: int, headers: HeaderList) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, chunk: bytes, *, last: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": chunk, "more_body": not last})


def takes_streams(exchange: Exchange) -> bool:
    """Clients MUST accept event streams; whoever does not gets plain JSON and no notifications."""
    accepted = ",".join(exchange.headers.all("accept")).lower()
    return "*/*" in accepted or "text/event-stream" in accepted


def is_stdio(exchange: Exchange) -> bool:
    return exchange.headers.one(TRANSPORT_HEADER) == "stdio"
