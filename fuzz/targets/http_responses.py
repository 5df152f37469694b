"""What an upstream answers on a socket: ``upstream.http1``, wherever the network cuts it."""

import asyncio
import socket
from typing import Any

from fuzz.parts import text
from fuzz.stage import finish
from lockgate.model import SendFailed
from lockgate.upstream.address import Address
from lockgate.upstream.http1 import HttpClient, _Connection

_LONGEST = 400
_SOCKET = socket.socket()


class _Wire(asyncio.Transport):
    """The sending side of a connection that was never made."""

    closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return _SOCKET if name == "socket" else default

    def write(self, data: Any) -> None:
        assert data

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    def resume_reading(self) -> None:
        """Nothing comes by itself."""


def http_responses(data: bytes) -> None:
    """The first byte: whether the connection ends in order. What follows comes over it."""
    orderly, stream = data[:1] < b"\x80", data[1:_LONGEST]
    whole = finish(_read([stream], orderly=orderly))
    step = max(1, len(stream) // 4)
    for at in range(sum(stream) % step, len(stream), step):
        assert finish(_read([stream[:at], stream[at:]], orderly=orderly)) == whole, f"cut at {at}"
    single = [stream[i : i + 1] for i in range(len(stream))]
    assert finish(_read(single, orderly=orderly)) == whole, "byte by byte"
    status, body, failed, rested = whole
    assert status == 0 or 200 <= status < 1000
    assert len(body) <= len(stream)
    # Only what came whole, and alone, leaves a connection that is used again.
    assert not (rested and (failed or status == 0))


async def _read(chunks: list[bytes], *, orderly: bool) -> tuple[int, bytes, str, bool]:
    """Status, body, the reason it failed, and whether the connection may be used again."""
    client = HttpClient("http://127.0.0.1:9/mcp", 1.0)
    wire, connection = _Wire(), _Connection(client)
    connection.connection_made(wire)
    response = connection.ask(b"GET / HTTP/1.1\r\n\r\n")
    for chunk in filter(None, chunks):
        if not wire.closed:
            connection.data_received(chunk)
    rested = response.clean
    connection.connection_lost(None if orderly else ConnectionResetError())
    status = response.status
    body, failed = b"", ""
    try:
        while more := await response.read():
            body += more
    except SendFailed as failure:
        failed = failure.reason
    if response.began.done():
        response.began.exception()
    # What was read before a failure depends on how it was cut; it is thrown away then.
    return status, b"" if failed else body, failed, rested


def addresses(data: bytes) -> None:
    """An upstream's URL, as an operator wrote it."""
    try:
        found = Address.of(text(data))
    except SendFailed as failed:
        assert failed.reason == "upstream.unreachable"
        return
    assert found.host
    assert 0 < found.port < 2**16
    for sent in (found.target, found.authority, found.credential or ""):
        assert not set(sent) & set("\r\n\0"), "it would end a header"
