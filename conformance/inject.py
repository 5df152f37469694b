"""A loopback proxy that adds one header to each request, and changes nothing else.

The suite cannot send an ``Authorization`` header of its own. ``Host`` and ``Origin`` stay, bodies
are passed as bytes when they come, answers untouched: what is seen through it is the gateway's.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

HEAD_LIMIT = 1 << 20
CHUNK = 1 << 16


class HeaderProxy:
    """``port`` is known from the start; ``target`` may be said once it is."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.target = 0
        """Port of 127.0.0.1 to pass everything to."""
        self.header = b""
        """One line, without its end."""
        self._running: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client connection, on one connection of its own to the target."""
        going = asyncio.ensure_future(self._serve(reader, writer))
        self._running.add(going)
        try:
            await asyncio.wait({going})
        finally:
            self._running.discard(going)

    async def end(self) -> None:
        """Every connection that is still open."""
        for going in self._running:
            going.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await asyncio.sleep(0)  # what was closed goes in the next round of the loop

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_in, there_out = await asyncio.open_connection(
                "127.0.0.1", self.target, limit=HEAD_LIMIT
            )
            back = asyncio.ensure_future(_copy(there_in, writer))
            try:
                await self._requests(reader, there_out, back)
            finally:
                back.cancel()
                there_out.close()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # one of the two is gone, and so is the other
        finally:
            writer.close()

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        there: asyncio.StreamWriter,
        back: "asyncio.Task[None]",
    ) -> None:
        """Until either side ends. The end of the client is an end for the target: it cancels."""
        going = asyncio.ensure_future(self._forward(reader, there))
        try:
            await asyncio.wait({going, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            going.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await going

    async def _forward(self, reader: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                there.write(head[:-2] + self.header + b"\r\n\r\n")
                await _body(head, reader, there)


async def _body(head: bytes, reader: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
    lines = [line.partition(b":") for line in head.lower().split(b"\r\n")[1:]]
    fields = {name: value.strip() for name, _, value in lines}
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        await _chunks(reader, there)
        return
    left = int(fields.get(b"content-length", b"0"))
    while left:
        some = await reader.read(min(left, CHUNK))
        if not some:
            raise asyncio.IncompleteReadError(some, left)
        left -= len(some)
        there.write(some)
        await there.drain()


async def _chunks(reader: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
    """RFC 9112, section 7.1, as it is; only the end is looked for."""
    size = -1
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        there.write(line + await reader.readexactly(size + 2))
        await there.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while some := await reader.read(CHUNK):
            writer.write(some)
            await writer.drain()


@asynccontextmanager
async def header_proxy() -> AsyncIterator[HeaderProxy]:
    """On a free port of 127.0.0.1, until the block is left."""
    proxy = HeaderProxy(0)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=HEAD_LIMIT)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
