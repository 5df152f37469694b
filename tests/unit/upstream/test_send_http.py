"""Links to real HTTP endpoints, in both eras and in bad weather."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pyreqwest.client import Client

from lockgate.model import Envelope, SendFailed, Tool, Upstream
from lockgate.upstream.opening import EraMemory
from lockgate.upstream.send_http import HttpLink, build_client, open_http
from lockgate.upstream.target import Bounds, HttpTarget, Registered
from support.upstream_endpoint import FakeEndpoint, serving

BOUNDS = Bounds(call_seconds=10, connect_seconds=10, reply_bytes=200_000)
ENVELOPE = Envelope()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with build_client(BOUNDS) as built:
        yield built


@asynccontextmanager
async def linked(
    client: Client,
    endpoint: FakeEndpoint,
    memory: EraMemory | None = None,
    bounds: Bounds = BOUNDS,
) -> AsyncIterator[HttpLink]:
    async with serving(endpoint) as url:
        target = HttpTarget(url, {"Authorization": "Bearer ours"})
        one = Registered(Upstream("one"), target, bounds)
        link = await open_http(one, target, client, memory or EraMemory())
        try:
            yield link
        finally:
            await link.close()


async def call(link: HttpLink, name: str, arguments: object = None, **rest: Any) -> Any:
    params = json.dumps({"name": name, "arguments": arguments}).encode()
    reply = await link.request("tools/call", params, envelope=ENVELOPE, **rest)
    assert not reply.is_error, reply.raw
    return json.loads(reply.raw)


async def refused(link: HttpLink, name: str, arguments: object = None) -> SendFailed:
    with pytest.raises(SendFailed) as failed:
        await call(link, name, arguments)
    return failed.value


@pytest.mark.parametrize(
    ("kind", "era"), [("modern", "modern"), ("legacy", "legacy"), ("plain", "legacy")]
)
async def test_agrees_with_each_era_and_calls(client: Client, kind: str, era: str) -> None:
    async with linked(client, FakeEndpoint(kind)) as link:
        assert link.peer.era == era
        assert json.loads(link.peer.server_info)["name"] == "endpoint"
        assert (await call(link, "echo", {"n": 1}))["structuredContent"] == {"n": 1}


async def test_a_modern_request_mirrors_itself_in_headers(client: Client) -> None:
    schema = b'{"properties":{"region":{"type":"string","x-mcp-header":"Region"}}}'
    tool = Tool("one", "gr\u00fcn", b'{"name":"x"}', schema)
    endpoint = FakeEndpoint()
    async with linked(client, endpoint) as link:
        await call(link, "gr\u00fcn", {"region": "eu"}, tool=tool)
    sent = endpoint.received[-1]
    assert sent.header("mcp-protocol-version") == "2026-07-28"
    assert sent.header("mcp-method") == "tools/call"
    assert sent.header("mcp-name") == "=?base64?Z3LDvG4=?="
    assert sent.header("mcp-param-region") == "eu"
    assert sent.header("mcp-session-id") is None
    assert sent.header("accept") == "application/json, text/event-stream"
    assert sent.header("content-type") == "application/json"
    assert sent.header("authorization") == "Bearer ours"
    assert sent.header("accept-encoding") is None
    meta = sent.message["params"]["_meta"]
    assert meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
    assert meta["io.modelcontextprotocol/clientCapabilities"] == {}


async def test_a_legacy_session_is_opened_used_and_ended(client: Client) -> None:
    endpoint = FakeEndpoint("legacy")
    async with linked(client, endpoint) as link:
        await call(link, "echo")
    discover, initialize, initialized, sent, end = endpoint.received
    assert discover.message["method"] == "server/discover"
    assert initialize.message["params"]["capabilities"] == {}
    assert initialized.message["method"] == "notifications/initialized"
    for one in (initialized, sent, end):
        assert one.header("mcp-session-id") == "session-1"
        assert one.header("mcp-protocol-version") == "2025-11-25"
    assert end.verb == "DELETE"
    assert "_meta" not in sent.message["params"]


async def test_a_known_era_is_not_probed_again(client: Client) -> None:
    endpoint, memory = FakeEndpoint("legacy"), EraMemory()
    async with serving(endpoint) as url:
        target = HttpTarget(url)
        one = Registered(Upstream("one"), target, BOUNDS)
        for _ in range(2):
            await (await open_http(one, target, client, memory)).close()
    methods = [one.message.get("method") for one in endpoint.received]
    assert methods.count("server/discover") == 1
    assert methods.count("initialize") == 2


async def test_a_lost_session_is_reopened_once_for_all_who_lost_it(client: Client) -> None:
    endpoint = FakeEndpoint("legacy")
    async with linked(client, endpoint) as link:
        endpoint.sessions.clear()
        said = await asyncio.gather(*(call(link, "echo", {"n": n}) for n in range(5)))
        assert [one["structuredContent"]["n"] for one in said] == [0, 1, 2, 3, 4]
        assert endpoint.opened == 2


async def test_a_session_lost_again_and_again_is_given_up(client: Client) -> None:
    class Amnesiac(FakeEndpoint):
        async def _handle(self, got: Any, out: Any) -> None:
            await super()._handle(got, out)
            self.sessions.clear()

    endpoint = Amnesiac("legacy")
    async with linked(client, endpoint) as link:
        failed = await link.request("tools/call", b'{"name":"x"}', envelope=ENVELOPE)
        assert failed.is_error
        assert endpoint.opened == 2


async def test_progress_and_messages_of_the_own_stream(client: Client) -> None:
    heard: list[tuple[str, Any]] = []
    async with linked(client, FakeEndpoint()) as link:
        await call(link, "progress", progress=lambda m, raw: heard.append((m, json.loads(raw))))
    assert heard == [
        ("notifications/progress", {"progress": 1}),
        ("notifications/progress", {"progress": 3}),
        ("notifications/message", {"d": 1}),
    ]


async def test_an_upstream_that_asks_is_told_no(client: Client) -> None:
    endpoint = FakeEndpoint("legacy")
    async with linked(client, endpoint) as link:
        endpoint.told.clear()
        await call(link, "ask")
    said = next(one.message for one in endpoint.received if one.message.get("id") == 900)
    assert said["error"]["code"] == -32601


async def test_cancelling_closes_the_stream(client: Client) -> None:
    endpoint = FakeEndpoint()
    async with linked(client, endpoint) as link:
        running = asyncio.create_task(call(link, "hang_stream"))
        await endpoint.arrived.wait()
        running.cancel()
        async with asyncio.timeout(5):
            await endpoint.gone.wait()
        await asyncio.wait({running})
        assert running.cancelled()
        await call(link, "echo")
    methods = [one.message.get("method") for one in endpoint.received]
    assert "notifications/cancelled" not in methods


async def test_a_request_cancelled_before_its_answer_began_ends_by_the_deadline(
    client: Client,
) -> None:
    endpoint = FakeEndpoint()
    async with linked(client, endpoint, bounds=Bounds(call_seconds=0.3)) as link:
        running = asyncio.create_task(call(link, "hang"))
        await endpoint.arrived.wait()
        running.cancel()
        async with asyncio.timeout(5):
            await endpoint.gone.wait()


async def test_cancelling_a_legacy_call_says_so(client: Client) -> None:
    endpoint = FakeEndpoint("legacy")
    async with linked(client, endpoint) as link:
        endpoint.told.clear()
        running = asyncio.create_task(call(link, "hang"))
        await endpoint.arrived.wait()
        asked = endpoint.received[-1].message["id"]
        running.cancel()
        async with asyncio.timeout(5):
            await endpoint.told.wait()
    said = next(
        one for one in endpoint.received if one.message.get("method") == "notifications/cancelled"
    )
    assert said.message["params"]["requestId"] == asked
    assert said.header("mcp-session-id") == "session-1"


async def test_the_deadline_closes_the_stream(client: Client) -> None:
    endpoint = FakeEndpoint()
    async with linked(client, endpoint, bounds=Bounds(call_seconds=0.2)) as link:
        assert (await refused(link, "hang")).reason == "upstream.timeout"
        async with asyncio.timeout(5):
            await endpoint.gone.wait()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("garbage", "upstream.garbage"),
        ("other_id", "upstream.garbage"),
        ("cut", "upstream.crashed"),
        ("redirect", "upstream.unreachable"),
        ("status-500", "upstream.unreachable"),
        ("status-404", "upstream.unreachable"),
        ("status-200", "upstream.garbage"),
        ("status-401", "upstream.credential"),
        ("status-403", "upstream.credential"),
        ("endless", "upstream.too-large"),
        ("endless_stream", "upstream.too-large"),
    ],
)
async def test_bad_answers_are_catalogued(client: Client, name: str, reason: str) -> None:
    endpoint = FakeEndpoint()
    async with linked(client, endpoint) as link:
        assert (await refused(link, name)).reason == reason
        assert all(one.verb == "POST" for one in endpoint.received), "followed a redirect"
        await call(link, "echo")
        if name.startswith("endless"):
            async with asyncio.timeout(5):
                await endpoint.gone.wait()


async def test_an_answer_up_to_the_cap_passes(client: Client) -> None:
    async with linked(client, FakeEndpoint()) as link:
        said = await call(link, "large", {"n": 200_000})
        assert len(said["content"][0]["text"]) == 200_000
        assert (await refused(link, "large", {"n": 300_000})).reason == "upstream.too-large"


async def test_a_json_rpc_error_on_an_http_error_is_the_reply(client: Client) -> None:
    async with linked(client, FakeEndpoint()) as link:
        reply = await link.request("tools/call", b'{"name":"bad_params"}', envelope=ENVELOPE)
    assert reply.is_error
    assert json.loads(reply.raw)["code"] == -32602


async def test_an_upstream_that_changes_version_is_opened_anew(client: Client) -> None:
    memory = EraMemory()
    async with linked(client, FakeEndpoint(), memory) as link:
        await link.request("tools/call", b'{"name":"upgraded"}', envelope=ENVELOPE)
        assert link.broken


async def test_no_cookies_are_kept(client: Client) -> None:
    endpoint = FakeEndpoint()
    async with linked(client, endpoint) as link:
        await call(link, "cookie")
        await call(link, "echo")
    assert all(one.header("cookie") is None for one in endpoint.received)


async def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with build_client(BOUNDS) as client, linked(client, FakeEndpoint()) as link:
        await call(link, "echo")


async def test_nobody_listening_is_unreachable_and_no_era(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    target = HttpTarget(f"http://127.0.0.1:{port}/mcp?key=hidden")
    one, memory = Registered(Upstream("one"), target, BOUNDS), EraMemory()
    with pytest.raises(SendFailed) as failed:
        await open_http(one, target, client, memory)
    assert failed.value.reason == "upstream.unreachable"
    assert "hidden" not in failed.value.detail
    assert memory.recall(one) is None


@pytest.mark.parametrize("status", [401, 403, 500, 503, 302])
async def test_what_stands_before_the_server_is_no_era(client: Client, status: int) -> None:
    class Guarded(FakeEndpoint):
        async def _handle(self, got: Any, out: Any) -> None:
            await out.text(status, "no")

    endpoint = Guarded()
    with pytest.raises(SendFailed):
        async with linked(client, endpoint):
            pass
    assert [one.message["method"] for one in endpoint.received] == ["server/discover"]


async def test_close_fails_what_is_in_flight(client: Client) -> None:
    endpoint = FakeEndpoint()
    async with linked(client, endpoint) as link:
        waiting = asyncio.create_task(refused(link, "hang"))
        await endpoint.arrived.wait()
        await link.close()
        assert (await waiting).reason == "upstream.crashed"
        assert link.broken
        assert (await refused(link, "echo")).reason == "upstream.crashed"
