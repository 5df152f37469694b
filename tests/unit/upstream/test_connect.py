"""The connector over everything real: small children, a small endpoint, others' servers."""

import gc
import json
import subprocess
import sys
import sysconfig
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lockgate.model import Envelope, Terms, Upstream
from lockgate.model.call import EraName
from lockgate.upstream.connect import Connector, build_client
from lockgate.upstream.http1 import HttpClient
from lockgate.upstream.link import Event, Link
from lockgate.upstream.opening import EraMemory
from lockgate.upstream.pool import Pool
from lockgate.upstream.target import Bounds, HttpTarget, Registered, StdioTarget
from support.fake_link import Ear
from support.upstream_endpoint import FakeEndpoint, serving
from support.upstream_streams import StreamingEndpoint

CHILDREN = str(Path(__file__).parents[2] / "support" / "upstream_children.py")
SDK = str(Path(__file__).parents[2] / "support" / "sdk_server.py")
ENVELOPE = Envelope()
ALICE = Terms("person:alice")
PATIENT = Bounds(probe_seconds=30, connect_seconds=30)
"""Servers on the SDK take a second to start, more on a busy machine."""


async def test_a_program_and_its_stderr() -> None:
    connector = Connector()
    target = StdioTarget((sys.executable, "-I", "-S", CHILDREN, "chatter"))
    link = await connector(Registered(Upstream("loud"), target, Bounds(grace_seconds=0.2)), ALICE)
    await link.request("tools/list", b"{}", envelope=ENVELOPE)
    await link.close()
    assert connector.stderr_tail("loud")[-1] == "line 199"
    assert connector.stderr_tail("other") == ()
    await connector.close()


async def test_one_client_an_upstream_and_a_new_one_for_a_new_address() -> None:
    built: list[HttpClient] = []

    def build(target: HttpTarget, bounds: Bounds) -> HttpClient:
        built.append(build_client(target, bounds))
        return built[-1]

    connector = Connector(build)
    endpoint = FakeEndpoint()
    async with serving(endpoint) as url:
        one = Registered(Upstream("one"), HttpTarget(url))
        for _ in range(3):
            await (await connector(one, ALICE)).close()
        assert len(built) == 1
        moved = Registered(Upstream("one"), HttpTarget(url + "?moved"))
        await (await connector(moved, ALICE)).close()
        assert len(built) == 2
    await connector.close()


async def test_two_principals_share_no_session() -> None:
    endpoint = FakeEndpoint("legacy")
    connector = Connector()
    async with serving(endpoint) as url:
        pool = Pool(connector, lambda: 0.0)
        one = Registered(Upstream("one"), HttpTarget(url))
        for who in ("alice", "bob", "alice"):
            async with pool.lease(one, Terms(who)) as link:
                await link.request("tools/list", b"{}", envelope=ENVELOPE)
        await pool.close_all()
    await connector.close()
    lists = [r for r in endpoint.received if r.message.get("method") == "tools/list"]
    sessions = [one.header("mcp-session-id") for one in lists]
    assert sessions == ["session-1", "session-2", "session-1"]


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_what_was_subscribed_to_over_a_broken_link_is_subscribed_to_again(
    era: str,
) -> None:
    events: list[Event] = []
    endpoint = StreamingEndpoint(era)
    connector = Connector(events=events.append)
    params = b'{"uri":"file:///a"}'
    async with serving(endpoint) as url:
        one = Registered(Upstream("one"), HttpTarget(url))
        first = await connector(one, ALICE)
        reply = await first.request("resources/subscribe", params, envelope=ENVELOPE)
        assert not reply.is_error
        await first.close()
        second = await connector(one, ALICE)
        assert second.subscribed == {"file:///a"}
        other = await connector(one, Terms("person:bob"))
        assert other.subscribed == frozenset()
        moved = await connector(Registered(one.upstream, HttpTarget(url + "?moved")), ALICE)
        assert moved.subscribed == frozenset()
        for link in (second, other, moved):
            await link.close()
    await connector.close()
    assert [(event.method, event.params) for event in events] == [
        ("notifications/tools/list_changed", b"{}"),
        ("notifications/resources/updated", b'{"uri":"file:///a"}'),
    ]


@pytest.mark.parametrize("kind", ["legacy", "modern"])
async def test_of_links_that_are_over_nothing_but_names_is_kept(kind: str) -> None:
    """Sessions come and go all day, each with links of its own."""
    connector, gone = Connector(), []
    target = StdioTarget((sys.executable, "-I", "-S", CHILDREN, kind))
    one = Registered(Upstream("one"), target, Bounds(grace_seconds=0.2, connect_seconds=30))
    for number in range(3):
        link = await connector(one, Terms("person:alice", "legacy", b"{}", f"session-{number}"))
        await link.request("tools/list", b"{}", envelope=ENVELOPE)
        await link.close()
        gone.append(weakref.ref(link))
    del link
    gc.collect()
    assert [each() for each in gone[:2]] == [None, None], "the next opening lets go of it"
    await connector.close()


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_what_lists_a_link_may_have_missed_is_told_when_it_is_opened_again(era: str) -> None:
    events: list[Event] = []
    endpoint, connector = StreamingEndpoint(era), Connector(events=events.append)
    async with serving(endpoint) as url:
        one = Registered(Upstream("one"), HttpTarget(url))
        await (await connector(one, ALICE)).close()
        assert events == [], "there was nothing before"
        await (await connector(one, ALICE)).close()
    await connector.close()
    assert events == [Event("one", ALICE, "notifications/tools/list_changed")]


async def call(link: Link, name: str, arguments: object) -> tuple[Any, Ear]:
    ear = Ear()
    params = json.dumps({"name": name, "arguments": arguments}).encode()
    reply = await link.request(
        "tools/call",
        params,
        hears=ear,
        envelope=Envelope(progress=True),
    )
    assert not reply.is_error, reply.raw
    return json.loads(reply.raw), ear


@pytest.mark.e2e
async def test_mcp_server_time() -> None:
    program = str(Path(sysconfig.get_path("scripts")) / "mcp-server-time")
    target = StdioTarget((program, "--local-timezone", "UTC"))
    link = await Connector()(Registered(Upstream("time"), target, PATIENT), ALICE)
    listed = json.loads((await link.request("tools/list", b"{}", envelope=ENVELOPE)).raw)
    assert {"get_current_time", "convert_time"} <= {tool["name"] for tool in listed["tools"]}
    said, _ = await call(link, "get_current_time", {"timezone": "UTC"})
    assert "UTC" in said["content"][0]["text"]
    await link.close()


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


@pytest.mark.e2e
@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_an_sdk_server(transport: str, era: EraName, sdk_url: str) -> None:
    stdio = StdioTarget((sys.executable, SDK, "stdio"))
    target = stdio if transport == "stdio" else HttpTarget(sdk_url)
    one, memory = Registered(Upstream("sdk"), target, PATIENT), EraMemory()
    if era == "legacy":
        memory.learn(one, "legacy")
    connector = Connector(memory=memory)
    link = await connector(one, ALICE)
    assert link.peer.era == era
    said, ear = await call(link, "count", {"to": 3})
    assert said["structuredContent"] == {"result": 3}
    assert [told["progress"] for _, told in ear.notes] == [1, 2, 3]
    await link.close()
    await connector.close()
