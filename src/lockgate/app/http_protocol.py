"""uvicorn's HTTP protocol with the bounds it lacks: time and size of the header section, and
time to read an answer.

Relies on uvicorn internals, so ``pyproject.toml`` pins its version.
"""

import asyncio
import ssl
from collections.abc import Callable
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lockgate.app.exchange import LINGER_SECONDS
from lockgate.model import REASONS
from lockgate.wire.answer import refusal

HEADER_BYTES = 64 * 1024
"""Request line and header fields together."""


class HeadersRefused(Exception):
    """Stops the parser: this connection has been answered and is closing."""


def _nobody(reason: str, peer: str) -> None:
    """Counts no refusals."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes connections whose headers trickle in (slow-loris), never end or are not HTTP.

    What is refused here never becomes a request, so it is answered here, catalogued all the same.
    """

    header_seconds = 10.0
    """Set by ``limits.header_seconds``."""
    refused: Callable[[str, str], None] = staticmethod(_nobody)
    """Told reason and peer of each refusal."""
    write_seconds = 60.0
    """How long a client may leave unread what was written for it, until it is dropped."""
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _parting: asyncio.TimerHandle | None = None
    _certificate = b""
    """DER of the client certificate that the TLS handshake has verified; empty for none."""
    _piece = _came = 0
    """Bytes in the last piece that came, and since the piece in which this header section began."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._certificate = tls.getpeercert(binary_form=True) or b""
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_came()
        self._was_read()
        if self._parting is not None:
            self._parting.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._was_read()
        self._unread = self.loop.call_later(self.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._was_read()
        super().resume_writing()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["client_certificate"] = self._certificate  # type: ignore[typeddict-unknown-key]
        if self._deadline is None:  # a further request on a kept-alive connection
            self._expect_headers()

    def on_headers_complete(self) -> None:
        self._headers_came()
        if self._came > HEADER_BYTES:  # else there is nothing to count
            self._count()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        if self._parting is not None:
            return
        self._piece = len(data)
        self._came += self._piece
        super().data_received(data)
        if self._deadline is not None and self._came > HEADER_BYTES:
            self._refuse("wire.headers-too-large")

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        self._refuse("wire.not-http")

    def _count(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > HEADER_BYTES:
            self._refuse("wire.headers-too-large")
            raise HeadersRefused

    def _expect_headers(self) -> None:
        self._came = self._piece
        self._deadline = self.loop.call_later(self.header_seconds, self._refuse, "wire.too-slow")

    def _headers_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _was_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _refuse(self, reason: str) -> None:
        self._headers_came()
        if self._parting is not None or self.transport.is_closing():
            return
        self.refused(reason, self.client[0] if self.client else "")
        if self.cycle is not None and not self.cycle.response_complete:
            begun = self.cycle.response_started
            self.cycle.disconnected = True  # whatever it still has to say, nobody hears it
            self.cycle.message_event.set()
            if begun:
                self.transport.close()
                return
        # Hear the client out for a while, or it would be reset before it reads why.
        self.transport.write(_answer(reason))
        if self.transport.can_write_eof():  # not in TLS
            self.transport.write_eof()
        self._parting = self.loop.call_later(LINGER_SECONDS, self.transport.close)


def _answer(reason: str) -> bytes:
    _, body = refusal(reason, id=None, method="", call_id="", era="modern")
    status = HTTPStatus(REASONS[reason].http)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
        f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
