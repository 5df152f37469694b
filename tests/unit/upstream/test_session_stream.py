"""The stream of a legacy session, over a real endpoint."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lockgate.upstream.endpoint import Endpoint
from lockgate.upstream.handshake_http import Opening
from lockgate.upstream.http1 import HttpClient
from lockgate.upstream.link import Peer
from lockgate.upstream.pause import Pause
from lockgate.upstream.session_stream import SessionStream
from lockgate.upstream.target import Bounds, HttpTarget
from lockgate.wire.jsonrpc import Message
from support.upstream_endpoint import serving
from support.upstream_streams import StreamingEndpoint


class World:
    def __init__(self, url: str, fake: StreamingEndpoint) -> None:
        self.fake = fake
        self.heard: list[Message] = []
        self.happened = asyncio.Event()
        self.missed = 0
        self.lost = 0
        fake.sessions.add("s")
        endpoint = Endpoint(HttpClient(url, 5), HttpTarget(url), Bounds())
        opened = Opening(Peer("legacy", "2025-11-25"), "s")
        self.stream = SessionStream(
            endpoint,
            opened,
            self.hear,
            missed=self.miss,
            lost=self.lose,
            pause=Pause(0.05),
        )

    def hear(self, message: Message) -> None:
        self.heard.append(message)
        self.happened.set()

    def miss(self) -> None:
        self.missed += 1
        self.happened.set()

    def lose(self) -> None:
        self.lost += 1
        self.happened.set()

    async def something(self) -> None:
        async with asyncio.timeout(10):
            await self.happened.wait()
        self.happened.clear()

    async def opened(self) -> None:
        async with asyncio.timeout(10):
            await self.fake.opened_stream.wait()
        self.fake.opened_stream.clear()


@asynccontextmanager
async def world(fake: StreamingEndpoint | None = None) -> AsyncIterator[World]:
    fake = fake or StreamingEndpoint()
    async with serving(fake) as url:
        made = World(url, fake)
        yield made
        made.stream.stop()


async def test_what_is_told_is_heard_until_it_is_stopped() -> None:
    async with world() as one:
        await one.opened()
        one.fake.feed("notifications/tools/list_changed")
        await one.something()
        assert [said.method for said in one.heard] == ["notifications/tools/list_changed"]
        sent = one.fake.received[-1]
        assert (sent.verb, sent.header("accept")) == ("GET", "text/event-stream")
        assert sent.header("mcp-session-id") == "s"
        assert sent.header("mcp-protocol-version") == "2025-11-25"
        assert sent.header("last-event-id") is None
        one.stream.stop()
        async with asyncio.timeout(10):
            await one.fake.closed_stream.wait()


async def test_a_cut_stream_goes_on_after_its_last_event() -> None:
    async with world() as one:
        await one.opened()
        one.fake.feed("notifications/tools/list_changed", "7-1")
        await one.something()
        one.fake.raw(None)
        await one.opened()
        assert one.fake.received[-1].header("last-event-id") == "7-1"
        one.fake.feed("notifications/tools/list_changed", "7-2")
        await one.something()
        assert len(one.heard) == 2
        assert one.missed == 0


async def test_where_nothing_is_repeated_something_may_have_been_missed() -> None:
    async with world() as one:
        await one.opened()
        assert one.missed == 0
        one.fake.raw(None)
        await one.something()
        assert (one.missed, one.heard) == (1, [])


async def test_it_waits_as_long_as_the_server_asks() -> None:
    async with world() as one:
        await one.opened()
        one.fake.raw(b"retry: 300\n\n")
        one.fake.raw(None)
        began = asyncio.get_running_loop().time()
        await one.opened()
        assert asyncio.get_running_loop().time() - began >= 0.3


@pytest.mark.parametrize("status", [405, 400, 401])
async def test_where_there_is_none_it_is_not_asked_for_again(status: int) -> None:
    class Without(StreamingEndpoint):
        async def _stream(self, got: object, out: object) -> None:
            await out.text(status, "no")  # type: ignore[attr-defined]

    async with world(Without()) as one, asyncio.timeout(10):
        await asyncio.wait({one.stream._running})
        assert [each.verb for each in one.fake.received] == ["GET"]
        assert one.lost == 0


async def test_a_lost_session_is_told() -> None:
    async with world() as one:
        await one.opened()
        one.fake.sessions.clear()
        one.fake.raw(None)
        await one.something()
        assert one.lost == 1


@pytest.mark.parametrize("status", [503, 409, 429])
async def test_a_server_that_cannot_now_is_tried_again(status: int) -> None:
    class Away(StreamingEndpoint):
        async def _stream(self, got: object, out: object) -> None:
            if len(self.received) == 1:
                await out.text(status, "later")  # type: ignore[attr-defined]
            else:
                await super()._stream(got, out)  # type: ignore[arg-type]

    async with world(Away()) as one:
        await one.opened()
        assert len(one.fake.received) == 2
