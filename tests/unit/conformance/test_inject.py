import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from conformance.inject import header_proxy

SECONDS = 10.0
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
REPLY = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def shut(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


@asynccontextmanager
async def between(serve: Serve) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a proxy before ``serve``."""
    async with header_proxy() as proxy, asyncio.timeout(SECONDS):
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        proxy.target = server.sockets[0].getsockname()[1]
        proxy.header = b"Authorization: Bearer k"
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            yield reader, writer
        finally:
            await shut(writer)
            server.close()


async def test_one_header_is_added_to_each_request_and_nothing_else_changes() -> None:
    seen = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while some := await reader.read(65_536):
            seen.extend(some)
            if some.endswith((b"body", b"0\r\n\r\n")):
                writer.write(REPLY)
        await shut(writer)

    first = b"POST /mcp HTTP/1.1\r\nHost: localhost:1\r\nOrigin: http://a\r\nContent-Length: 4\r\n"
    second = b"POST /mcp HTTP/1.1\r\nhost: b\r\ntransfer-encoding: chunked\r\n"
    chunks = b"4;x=y\r\nab\r\n\r\n0\r\n\r\n"
    added = b"Authorization: Bearer k\r\n\r\n"
    async with between(serve) as (reader, writer):
        for head, body in ((first, b"body"), (second, chunks)):
            writer.write(head + b"\r\n")
            await writer.drain()
            writer.write(body)
            assert await reader.readexactly(len(REPLY)) == REPLY
    assert bytes(seen) == first + added + b"body" + second + added + chunks


async def test_answers_stream_and_a_client_that_leaves_is_told_to_the_target() -> None:
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nevent")
        await writer.drain()
        await reader.read()
        await shut(writer)
        left.set()

    async with between(serve) as (reader, writer):
        writer.write(b"GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await reader.readuntil(b"event")).endswith(b"event")
        await shut(writer)
        await left.wait()


async def test_a_target_that_ends_ends_the_client() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(REPLY)
        await shut(writer)

    async with between(serve) as (reader, writer):
        writer.write(b"GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await reader.read() == REPLY
