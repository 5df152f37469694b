"""What links of each kind hear beside their answers: real endpoints, real programs, a real SDK."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lockgate.model import Envelope, SendFailed, Terms, Upstream
from lockgate.model.call import EraName
from lockgate.upstream.connect import Connector
from lockgate.upstream.link import Event, Link, LinkReply
from lockgate.upstream.opening import EraMemory
from lockgate.upstream.target import Bounds, HttpTarget, Registered, StdioTarget, Target
from support.fake_link import Ear
from support.upstream_endpoint import serving
from support.upstream_streams import StreamingEndpoint

SUPPORT = Path(__file__).parents[2] / "support"
CHILDREN, SDK = str(SUPPORT / "upstream_children.py"), str(SUPPORT / "sdk_server.py")
ASKS = b'{"elicitation":{"form":{}},"roots":{}}'
ALICE = Terms("person:alice")
ASKABLE = Terms("person:alice", "legacy", ASKS, "s1")
LEGACY = Envelope("legacy", asks=ASKS, session="s1", log_level="info")
TOOLS, UPDATED = "notifications/tools/list_changed", "notifications/resources/updated"
PATIENT = Bounds(probe_seconds=30, connect_seconds=30, call_seconds=30, grace_seconds=0.2)
A = b'{"uri":"file:///a"}'


class World:
    def __init__(self, link: Link, events: list[Event], told: asyncio.Event) -> None:
        self.link = link
        self.events = events
        self._told = told

    async def call(self, name: str, ear: Ear | None = None, envelope: Envelope = LEGACY) -> Any:
        params = json.dumps({"name": name, "arguments": {}}).encode()
        reply = await self.link.request("tools/call", params, hears=ear, envelope=envelope)
        assert not reply.is_error, reply.raw
        return json.loads(reply.raw)

    async def watch(self, what: str, params: bytes = A) -> LinkReply:
        return await self.link.request(f"resources/{what}", params, envelope=LEGACY)

    async def heard(self, *methods: str) -> None:
        """Exactly these, in this order, sooner or later."""
        async with asyncio.timeout(10):
            while [event.method for event in self.events] != list(methods):
                await self._told.wait()
                self._told.clear()


@asynccontextmanager
async def linked(
    target: Target, terms: Terms = ALICE, bounds: Bounds = PATIENT, era: EraName | None = None
) -> AsyncIterator[World]:
    events: list[Event] = []
    told = asyncio.Event()

    def hear(event: Event) -> None:
        events.append(event)
        told.set()

    memory, one = EraMemory(), Registered(Upstream("one"), target, bounds)
    if era:
        memory.learn(one, era)
    connector = Connector(memory=memory, events=hear)
    link = await connector(one, terms)
    try:
        yield World(link, events, told)
    finally:
        await link.close()
        await connector.close()


@asynccontextmanager
async def over_http(
    fake: StreamingEndpoint, terms: Terms = ALICE, bounds: Bounds = PATIENT
) -> AsyncIterator[World]:
    async with serving(fake) as url, linked(HttpTarget(url), terms, bounds) as world:
        yield world


async def opened(fake: StreamingEndpoint) -> None:
    async with asyncio.timeout(10):
        await fake.opened_stream.wait()
    fake.opened_stream.clear()


async def answered(fake: StreamingEndpoint, id: str) -> Any:
    async with asyncio.timeout(10):
        while not any(one.message.get("id") == id for one in fake.received):
            fake.told.clear()
            await fake.told.wait()
    return fake.answer_to(id)


async def test_a_legacy_session_hears_what_belongs_to_no_request() -> None:
    fake = StreamingEndpoint()
    async with over_http(fake) as world:
        await opened(fake)
        fake.feed(TOOLS)
        fake.feed("notifications/message", level="info", data="x")
        await world.heard(TOOLS, "notifications/message")
        assert world.events[0] == Event("one", ALICE, TOOLS, b"{}")
    async with asyncio.timeout(10):
        await fake.closed_stream.wait()


@pytest.mark.parametrize(
    ("capabilities", "terms", "streams"),
    [({"tools": {}}, ALICE, 0), ({"tools": {}}, ASKABLE, 1), ({"logging": {}}, ALICE, 1)],
    ids=["nothing to hear", "questions", "messages"],
)
async def test_a_session_has_a_stream_where_there_may_be_something_to_hear(
    capabilities: Any, terms: Terms, streams: int
) -> None:
    fake = StreamingEndpoint("legacy", capabilities)
    async with over_http(fake, terms) as world:
        if streams:
            await opened(fake)
        await world.call("echo")
    assert [one.verb for one in fake.received].count("GET") == streams


async def test_a_question_outside_of_all_streams_is_put_to_the_newest_request() -> None:
    fake, old, new = StreamingEndpoint(), Ear(), Ear()
    async with over_http(fake, ASKABLE) as world:
        await opened(fake)
        running = [asyncio.create_task(world.call("hang_stream", ear)) for ear in (old, new)]
        for _ in running:
            await fake.arrived.wait()
            fake.arrived.clear()
        fake.say({"jsonrpc": "2.0", "id": "q", "method": "roots/list"})
        fake.say({"jsonrpc": "2.0", "id": "p", "method": "ping"})
        assert (await answered(fake, "q"))["result"] == {"roots": []}
        assert (await answered(fake, "p"))["result"] == {}
        for one in running:
            one.cancel()
        await asyncio.wait(running)
    assert (len(old.asks), len(new.asks)) == (0, 1)


async def test_a_lost_session_is_noticed_without_a_request_and_subscribed_anew() -> None:
    fake = StreamingEndpoint()
    async with over_http(fake) as world:
        await opened(fake)
        assert (await world.watch("subscribe")).raw == b"{}"
        assert world.link.subscribed == {"file:///a"}
        fake.sessions.clear()
        fake.raw(None)
        await world.heard(TOOLS, UPDATED)
        assert fake.subscribed == [("subscribe", "file:///a")] * 2
        assert fake.opened == 2
        await opened(fake)
        fake.feed(UPDATED, uri="file:///a")
        await world.heard(TOOLS, UPDATED, UPDATED)
        assert (await world.watch("unsubscribe")).raw == b"{}"
        assert world.link.subscribed == frozenset()


async def test_what_an_upstream_refuses_is_not_subscribed_to() -> None:
    for era in ("legacy", "modern"):
        fake = StreamingEndpoint(era)
        fake.refuses = frozenset({"file:///a"})
        async with over_http(fake) as world:
            assert (await world.watch("subscribe")).is_error
            assert world.link.subscribed == frozenset()


async def test_several_streams_are_resumed_at_once_and_not_too_early() -> None:
    fake = StreamingEndpoint()
    async with over_http(fake) as world:
        began = asyncio.get_running_loop().time()
        assert (
            await asyncio.gather(*(world.call("poll") for _ in range(3))) == [{"content": []}] * 3
        )
        assert asyncio.get_running_loop().time() - began >= 0.15
    gets = [one for one in fake.received if one.header("last-event-id")]
    assert len(gets) == 3
    assert {one.header("mcp-session-id") for one in gets} == {"session-1"}


async def test_resuming_ends_with_the_deadline() -> None:
    fake = StreamingEndpoint("legacy", {"tools": {}})
    bounds = Bounds(call_seconds=0.5, connect_seconds=30)
    async with over_http(fake, bounds=bounds) as world:
        with pytest.raises(SendFailed) as failed:
            await world.call("poll_for_ever")
    assert failed.value.reason == "upstream.timeout"


async def test_a_modern_upstream_is_listened_to() -> None:
    fake = StreamingEndpoint("modern")
    async with over_http(fake) as world:
        await opened(fake)
        assert (await world.watch("subscribe")).raw == b"{}"
        assert fake.listens == [
            {"toolsListChanged": True},
            {"toolsListChanged": True, "resourceSubscriptions": ["file:///a"]},
        ]
        sent = fake.received[-1]
        assert sent.header("mcp-method") == "subscriptions/listen"
        assert sent.header("mcp-protocol-version") == "2026-07-28"
        tag = {"io.modelcontextprotocol/subscriptionId": sent.message["id"]}
        fake.feed(UPDATED, uri="file:///a", _meta=tag)
        await world.heard(UPDATED)
        assert world.events[0].params == b'{"uri": "file:///a"}'
        assert (await world.watch("unsubscribe")).raw == b"{}"
        assert fake.listens[-1] == {"toolsListChanged": True}
    assert [one.verb for one in fake.received].count("GET") == 0


async def test_a_modern_program_is_listened_to_over_its_one_channel() -> None:
    child = StdioTarget((sys.executable, "-I", "-S", CHILDREN, "watched"))
    async with linked(child) as world:
        assert (await world.watch("subscribe")).raw == b"{}"
        said = await world.call("change")
        assert said["structuredContent"] == {"listens": 1}, "the first was ended"
        await world.heard(TOOLS, UPDATED)
        assert world.events[1].params == b'{"uri": "file:///a"}'
        await world.watch("unsubscribe")
        assert world.link.subscribed == frozenset()


@pytest.fixture(scope="module")
def sdk_url() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, SDK, "http"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/mcp"
        process.kill()


Reach = Callable[[str], Target]
OVER: dict[str, Reach] = {
    "stdio": lambda _: StdioTarget((sys.executable, SDK, "stdio")),
    "http": HttpTarget,
}


@pytest.mark.e2e
@pytest.mark.parametrize("transport", OVER)
async def test_a_legacy_sdk_server_asks(transport: str, sdk_url: str) -> None:
    ear = Ear(LinkReply(b'{"action":"accept","content":{"ok":true}}'))
    async with linked(OVER[transport](sdk_url), ASKABLE, era="legacy") as world:
        said = await world.call("ask", ear)
    assert said["content"][0]["text"] == "accept"
    ((method, params, era),) = ear.asks
    assert (method, params["message"], era) == ("elicitation/create", "All right?", "legacy")


@pytest.mark.e2e
@pytest.mark.parametrize("transport", OVER)
async def test_a_modern_sdk_server_tells(transport: str, sdk_url: str) -> None:
    async with linked(OVER[transport](sdk_url), era="modern") as world:
        assert not (await world.watch("subscribe", b'{"uri":"note://a"}')).is_error
        await world.call("change", envelope=Envelope())
        await world.heard(TOOLS, UPDATED)
        assert json.loads(world.events[1].params)["uri"] == "note://a"
