"""Over real sockets: what uvicorn's protocol is given is what a network delivers."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
import uvicorn
from uvicorn.server import ServerState

from lockgate.app.http_protocol import HEADER_BYTES, BoundedHttpProtocol
from support.processes import until

GET = b"GET /mcp HTTP/1.1\r\nhost: gate\r\n\r\n"
END = b"0\r\n\r\n"
PATIENT_SECONDS = 30.0
LONG = b"x" * (8 * 2**20)
"""More than the sockets of a connection hold."""


class Door:
    """One listening server. ``hold``: requests are answered when it is set."""

    def __init__(self, header_seconds: float) -> None:
        self.header_seconds = header_seconds
        self.refused: list[tuple[str, str]] = []
        self.reached = asyncio.Event()
        self.left = asyncio.Event()
        self.answered = asyncio.Event()
        self.hold: asyncio.Event | None = None
        self.port = 0
        self.peers: list[Peer] = []
        self.state = ServerState()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.set()
        begun = scope["path"] == "/begun"
        head = {"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]}
        if begun:
            await send(head)
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        if self.hold is not None:
            await receive()
            leaving = asyncio.ensure_future(_gone(receive))
            await asyncio.wait({leaving, asyncio.ensure_future(self.hold.wait())},
                               return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
            if leaving.done():
                self.left.set()
                return
        if not begun:
            await send(head)
        if scope["path"] == "/long":
            await send({"type": "http.response.body", "body": LONG, "more_body": True})
        await send({"type": "http.response.body", "body": b"ok"})
        self.answered.set()

    async def emptied(self) -> None:
        """Every connection is closed on both sides."""
        await asyncio.to_thread(until, lambda: not self.state.connections)

    async def connect(self) -> "Peer":
        peer = Peer(*await asyncio.open_connection("127.0.0.1", self.port, limit=2 * len(LONG)))
        self.peers.append(peer)
        return peer

    async def say(self, raw: bytes) -> tuple[int, str]:
        """Status and reason of what the connection brings until it ends."""
        peer = await self.connect()
        peer.writer.write(raw)
        return peer.judged(await peer.rest())


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Peer:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def rest(self) -> bytes:
        async with asyncio.timeout(10):
            return await self.reader.read()

    async def ask(self, raw: bytes) -> bytes:
        self.writer.write(raw)
        return await self.until(END)

    async def until(self, end: bytes) -> bytes:
        async with asyncio.timeout(10):
            return await self.reader.readuntil(end)

    @staticmethod
    def judged(raw: bytes) -> tuple[int, str]:
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert f"content-length: {len(body)}" in lines
        assert "connection: close" in lines
        return int(lines[0].split(" ")[1]), orjson.loads(body)["error"]["data"]["reason"]


@asynccontextmanager
async def door(
    header_seconds: float = PATIENT_SECONDS,
    write_seconds: float = PATIENT_SECONDS,
    connections: int | None = None,
) -> AsyncIterator[Door]:
    made = Door(header_seconds)

    def told(reason: str, peer: str) -> None:
        made.refused.append((reason, peer))

    bounds = {"header_seconds": header_seconds, "write_seconds": write_seconds,
              "refused": staticmethod(told)}  # fmt: skip
    protocol = type("Protocol", (BoundedHttpProtocol,), bounds)
    config = uvicorn.Config(
        made, lifespan="off", log_config=None, access_log=False, limit_concurrency=connections
    )
    config.load()
    state = made.state
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol(config, state, {}), "127.0.0.1", 0
    )
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for peer in made.peers:
            peer.writer.transport.abort()
        for connection in list(state.connections):
            connection.transport.abort()
        if state.tasks:
            await asyncio.wait(state.tasks, timeout=10)
        await server.wait_closed()


async def test_a_decent_client_notices_nothing() -> None:
    async with door() as one:
        peer = await one.connect()
        for _ in range(2):
            peer.writer.write(GET)
            assert (await peer.until(END)).startswith(b"HTTP/1.1 200 OK")
        assert one.refused == []


@pytest.mark.parametrize("begun", [b"", b"GET", b"GET /mcp HTTP/1.1\r\nhost: g"])
async def test_headers_that_trickle_in_are_not_awaited(begun: bytes) -> None:
    async with door(header_seconds=0.05) as one:
        assert await one.say(begun) == (408, "wire.too-slow")
        assert one.refused == [("wire.too-slow", "127.0.0.1")]
        assert not one.reached.is_set()


async def test_nor_are_those_of_a_later_request() -> None:
    async with door(header_seconds=0.05) as one:
        peer = await one.connect()
        peer.writer.write(GET)
        await peer.until(END)
        peer.writer.write(GET[:20])
        assert peer.judged(await peer.rest()) == (408, "wire.too-slow")


async def test_between_requests_and_while_one_is_answered_time_is_not_counted() -> None:
    async with door(header_seconds=0.05) as one:
        one.hold = asyncio.Event()
        peer = await one.connect()
        peer.writer.write(GET)
        await asyncio.wait_for(one.reached.wait(), 10)
        assert await one.say(b"GET") == (408, "wire.too-slow")  # so long it took
        one.hold.set()
        await peer.until(END)
        assert await one.say(b"GET") == (408, "wire.too-slow")
        peer.writer.write(GET)
        await peer.until(END)


LARGE = {
    "one field": b"GET / HTTP/1.1\r\nx: " + b"a" * HEADER_BYTES + b"\r\n\r\n",
    "one field without an end": b"GET / HTTP/1.1\r\nx: " + b"a" * (2 * HEADER_BYTES),
    "many fields": b"GET / HTTP/1.1\r\n" + b"x: a\r\n" * HEADER_BYTES + b"\r\n",
    "the path": b"GET /" + b"a" * HEADER_BYTES + b" HTTP/1.1\r\n\r\n",
    "both together": b"GET /" + b"a" * (HEADER_BYTES // 2) + b" HTTP/1.1\r\nx: "
                     + b"a" * (HEADER_BYTES // 2) + b"\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("what", LARGE)
async def test_headers_are_bounded(what: str) -> None:
    async with door() as one:
        assert await one.say(LARGE[what]) == (431, "wire.headers-too-large")
        assert one.refused == [("wire.headers-too-large", "127.0.0.1")]
        assert not one.reached.is_set()


@pytest.mark.parametrize("what", LARGE)
async def test_so_are_those_of_a_later_request(what: str) -> None:
    async with door() as one:
        peer = await one.connect()
        peer.writer.write(GET)
        await peer.until(END)
        peer.writer.write(LARGE[what])
        assert peer.judged(await peer.rest()) == (431, "wire.headers-too-large")


async def test_almost_as_many_are_taken_and_each_request_has_its_own_bound() -> None:
    async with door() as one:
        peer = await one.connect()
        for _ in range(3):
            fields = b"x: " + b"a" * (HEADER_BYTES - 100) + b"\r\n"
            peer.writer.write(b"GET / HTTP/1.1\r\n" + fields + b"\r\n")
            await peer.until(END)
        assert one.refused == []


@pytest.mark.parametrize("raw", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"hello\r\n\r\n",
                                 b"GET / HTTP/1.1\r\nno colon\r\n\r\n"])  # fmt: skip
async def test_what_is_not_http_is_told_so_in_a_catalogued_way(raw: bytes) -> None:
    async with door() as one:
        assert await one.say(raw) == (400, "wire.not-http")
        assert one.refused == [("wire.not-http", "127.0.0.1")]


async def test_what_follows_a_refusal_is_not_heard() -> None:
    async with door() as one:
        assert await one.say(b"hello\r\n\r\n" + GET + b"hello\r\n\r\n") == (400, "wire.not-http")
        assert len(one.refused) == 1
        assert not one.reached.is_set()


async def test_nor_does_it_become_a_request_after_all() -> None:
    async with door(header_seconds=0.05) as one:
        peer = await one.connect()
        peer.writer.write(GET[:20])
        assert peer.judged(await peer.rest()) == (408, "wire.too-slow")
        peer.writer.write(GET[20:])
        peer.writer.close()
        await one.emptied()
        assert not one.reached.is_set()


@pytest.mark.parametrize("path", [b"/waiting", b"/begun"])
async def test_a_request_under_way_ends_with_its_connection(
    path: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with door() as one:
        one.hold = asyncio.Event()
        peer = await one.connect()
        head = b"POST " + path + b" HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
        peer.writer.write(head + b"1\r\nx\r\n")
        await asyncio.wait_for(one.reached.wait(), 10)
        peer.writer.write(b"no chunk\r\n")
        said = await peer.rest()
        await asyncio.wait_for(one.left.wait(), 10)
        if path == b"/waiting":
            assert one.state.connections, "it was told only when the connection ended"
    if path == b"/begun":  # its answer can no longer become another
        assert b"half" in said
        assert b"wire.not-http" not in said
    else:
        assert peer.judged(said) == (400, "wire.not-http")
    assert one.refused == [("wire.not-http", "127.0.0.1")]
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


LONG_GET = GET.replace(b"/mcp", b"/long")


async def test_who_does_not_read_the_answer_is_dropped() -> None:
    async with door(write_seconds=0.05) as one:
        peer = await one.connect()
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        peer.writer.write(LONG_GET)
        await asyncio.wait_for(one.answered.wait(), 10)
        peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert len(await peer.rest()) < len(LONG)


async def test_who_reads_it_in_time_is_not() -> None:
    async with door(header_seconds=1.5, write_seconds=1) as one:
        peer = await one.connect()
        assert len(await peer.ask(LONG_GET)) > len(LONG)
        assert await one.say(b"GET") == (408, "wire.too-slow")  # so long it took
        assert len(await peer.ask(LONG_GET)) > len(LONG)


async def test_who_comes_when_it_is_full_is_turned_away_and_streams_go_on() -> None:
    async with door(connections=2) as one:
        one.hold = asyncio.Event()
        stream = await one.connect()
        stream.writer.write(GET.replace(b"/mcp", b"/begun"))
        assert b"half" in await stream.until(b"half")
        late = await one.connect()
        late.writer.write(GET)
        assert (await late.rest()).startswith(b"HTTP/1.1 503")
        one.hold.set()
        assert b"ok" in await stream.until(END)
        assert (await stream.ask(GET)).startswith(b"HTTP/1.1 200")
