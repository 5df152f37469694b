"""Links to real HTTP endpoints, in both eras and in bad weather."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lockgate.model import Envelope, SendFailed, Terms, Tool, Upstream
from lockgate.upstream.connect import build_client
from lockgate.upstream.link import Event
from lockgate.upstream.opening import EraMemory
from lockgate.upstream.send_http import HttpLink, open_http
from lockgate.upstream.target import Bounds, HttpTarget, Registered
from lockgate.upstream.traffic import Held
from support.fake_link import Ear
from support.upstream_endpoint import FakeEndpoint, serving

BOUNDS = Bounds(call_seconds=10, connect_seconds=10, reply_bytes=200_000)
ENVELOPE = Envelope()
ALICE = Terms("person:alice")
ASKS = b'{"elicitation":{"form":{}},"roots":{}}'
ASKABLE = Terms("person:alice", "legacy", ASKS, "s1")
LEGACY = Envelope("legacy", asks=ASKS, session="s1", progress=True, log_level="info")


@asynccontextmanager
async def linked(
    endpoint: FakeEndpoint,
    memory: EraMemory | None = None,
    bounds: Bounds = BOUNDS,
    terms: Terms = ALICE,
    events: list[Event] | None = None,
) -> AsyncIterator[HttpLink]:
    async with serving(endpoint) as url:
        target = HttpTarget(url, {"Authorization": "Bearer ours"})
        client = build_client(target, bounds)
        one = Registered(Upstream("one"), target, bounds)
        held = Held("one", terms, events.append if events is not None else lambda _: None)
        link = await open_http(one, held, target, client, memory or EraMemory())
        try:
            yield link
        finally:
            await link.close()
            await client.close()


async def call(link: HttpLink, name: str, arguments: object = None, **rest: Any) -> Any:
    params = json.dumps({"name": name, "arguments": arguments}).encode()
    reply = await link.request("tools/call", params, **{"envelope": ENVELOPE, **rest})
    assert not reply.is_error, reply.raw
    return json.loads(reply.raw)


async def refused(link: HttpLink, name: str, arguments: object = None) -> SendFailed:
    with pytest.raises(SendFailed) as failed:
        await call(link, name, arguments)
    return failed.value


@pytest.mark.parametrize(
    ("kind", "era"), [("modern", "modern"), ("legacy", "legacy"), ("plain", "legacy")]
)
async def test_agrees_with_each_era_and_calls(kind: str, era: str) -> None:
    async with linked(FakeEndpoint(kind)) as link:
        assert link.peer.era == era
        assert json.loads(link.peer.server_info)["name"] == "endpoint"
        assert (await call(link, "echo", {"n": 1}))["structuredContent"] == {"n": 1}


async def test_a_modern_request_mirrors_itself_in_headers() -> None:
    schema = b'{"properties":{"region":{"type":"string","x-mcp-header":"Region"}}}'
    tool = Tool("one", "gr\u00fcn", b'{"name":"x"}', schema)
    endpoint = FakeEndpoint()
    async with linked(endpoint) as link:
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


async def test_a_legacy_session_is_opened_used_and_ended() -> None:
    endpoint = FakeEndpoint("legacy")
    async with linked(endpoint) as link:
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


async def test_a_known_era_is_not_probed_again() -> None:
    endpoint, memory = FakeEndpoint("legacy"), EraMemory()
    async with serving(endpoint) as url:
        target = HttpTarget(url)
        one = Registered(Upstream("one"), target, BOUNDS)
        client = build_client(target, BOUNDS)
        for _ in range(2):
            await (await open_http(one, Held("one", ALICE), target, client, memory)).close()
    methods = [one.message.get("method") for one in endpoint.received]
    assert methods.count("server/discover") == 1
    assert methods.count("initialize") == 2


async def test_a_lost_session_is_reopened_once_for_all_who_lost_it() -> None:
    endpoint = FakeEndpoint("legacy")
    async with linked(endpoint) as link:
        endpoint.sessions.clear()
        said = await asyncio.gather(*(call(link, "echo", {"n": n}) for n in range(5)))
        assert [one["structuredContent"]["n"] for one in said] == [0, 1, 2, 3, 4]
        assert endpoint.opened == 2


async def test_a_session_lost_again_and_again_is_given_up() -> None:
    class Amnesiac(FakeEndpoint):
        async def _handle(self, got: Any, out: Any) -> None:
            await super()._handle(got, out)
            self.sessions.clear()

    endpoint = Amnesiac("legacy")
    async with linked(endpoint) as link:
        failed = await link.request("tools/call", b'{"name":"x"}', envelope=ENVELOPE)
        assert failed.is_error
        assert endpoint.opened == 2


async def test_progress_and_messages_of_the_own_stream() -> None:
    ear = Ear()
    async with linked(FakeEndpoint()) as link:
        await call(link, "progress", hears=ear, envelope=LEGACY)
    assert ear.notes == [
        ("notifications/progress", {"progress": 1}),
        ("notifications/progress", {"progress": 3}),
        ("notifications/message", {"level": "error", "data": 1}),
    ]


@pytest.mark.parametrize("terms", [ALICE, Terms("")], ids=["declared nothing", "shared"])
async def test_an_upstream_that_asks_is_told_no(terms: Terms) -> None:
    endpoint, ear = FakeEndpoint("legacy"), Ear()
    async with linked(endpoint, terms=terms) as link:
        endpoint.told.clear()
        await call(link, "ask", hears=ear, envelope=LEGACY)
    assert endpoint.answer_to(900)["error"]["code"] == -32601
    assert ear.asks == []


async def test_an_upstream_asks_the_client_of_its_own_request() -> None:
    endpoint, mine, other = FakeEndpoint("legacy"), Ear(), Ear()
    async with linked(endpoint, terms=ASKABLE) as link:
        assert endpoint.initialized["capabilities"] == json.loads(ASKS)
        endpoint.told.clear()
        async with asyncio.TaskGroup() as both:
            asking = both.create_task(call(link, "ask", hears=mine, envelope=LEGACY))
            await mine.asked.wait()
            newer = both.create_task(call(link, "hang_stream", hears=other, envelope=LEGACY))
            await asking
            newer.cancel()
    said = endpoint.answer_to(900)
    assert said["result"] == {"roots": []}
    assert mine.asks == [("roots/list", {}, "legacy")]
    assert other.asks == []


async def test_no_deadline_runs_while_somebody_is_asked() -> None:
    endpoint, ear = FakeEndpoint("legacy"), Ear()
    ear.hold = asyncio.Event()
    bounds = Bounds(call_seconds=0.2, connect_seconds=10)
    async with linked(endpoint, bounds=bounds, terms=ASKABLE) as link:
        endpoint.told.clear()
        running = asyncio.create_task(call(link, "ask", hears=ear, envelope=LEGACY))
        await asyncio.wait({running}, timeout=0.6)
        assert not running.done()
        ear.hold.set()
        await running


async def test_a_question_ends_with_its_call() -> None:
    endpoint, ear = FakeEndpoint("legacy"), Ear()
    ear.hold = asyncio.Event()
    async with linked(endpoint, terms=ASKABLE) as link:
        endpoint.told.clear()
        running = asyncio.create_task(call(link, "ask", hears=ear, envelope=LEGACY))
        await ear.asked.wait()
        running.cancel()
        async with asyncio.timeout(5):
            await ear.withdrawn.wait()


async def test_the_level_is_set_once_in_each_session() -> None:
    endpoint = FakeEndpoint("legacy", {"tools": {}, "logging": {}})
    async with linked(endpoint) as link:
        for _ in range(2):
            await call(link, "echo", hears=Ear(), envelope=LEGACY)
        assert endpoint.levels == ["info"]
        endpoint.sessions.clear()
        await call(link, "echo", hears=Ear(), envelope=LEGACY)
        await call(link, "echo", hears=Ear(), envelope=LEGACY)
    assert endpoint.levels == ["info", "info"]


async def test_a_level_is_not_set_where_there_is_no_logging() -> None:
    endpoint = FakeEndpoint("legacy")
    async with linked(endpoint) as link:
        await call(link, "echo", hears=Ear(), envelope=LEGACY)
    assert endpoint.levels == []


async def test_a_modern_upstream_is_told_the_clients_capabilities() -> None:
    endpoint = FakeEndpoint()
    asks = b'{"elicitation":{"form":{}},"extensions":{"io.modelcontextprotocol/tasks":{}}}'
    said = Envelope("modern", asks=asks, log_level="debug")
    async with linked(endpoint) as link:
        await call(link, "echo", envelope=said)
    meta = endpoint.received[-1].message["params"]["_meta"]
    assert meta["io.modelcontextprotocol/clientCapabilities"] == json.loads(asks)
    assert meta["io.modelcontextprotocol/logLevel"] == "debug"


async def test_rounds_and_handles_pass_untouched() -> None:
    """Multi round-trip requests: what the next round brings, and what the last one answered."""
    endpoint = FakeEndpoint()
    state = "\u00e9 \\u0041 / == "
    params = {
        "name": "rounds", "arguments": {}, "requestState": state,
        "inputResponses": {"a": {"action": "accept", "content": {"n": 1.50}}},
        "_meta": {"acme/x": 1},
    }  # fmt: skip
    async with linked(endpoint) as link:
        said = json.dumps(params, ensure_ascii=False).encode()
        reply = await link.request("tools/call", said, envelope=ENVELOPE)
    sent = endpoint.received[-1].message["params"]
    assert {key: sent[key] for key in params if key != "_meta"} == {
        key: value for key, value in params.items() if key != "_meta"
    }
    assert sent["_meta"]["acme/x"] == 1
    assert json.loads(reply.raw) == {
        "resultType": "input_required",
        "inputRequests": {"a": {"method": "elicitation/create", "params": {}}},
        "requestState": state,
        "x": 1.5,
    }


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
async def test_a_task_is_named_in_the_headers(method: str) -> None:
    endpoint = FakeEndpoint()
    async with linked(endpoint) as link:
        await link.request(method, b'{"taskId":"t-1"}', envelope=ENVELOPE)
    sent = endpoint.received[-1]
    assert (sent.header("mcp-method"), sent.header("mcp-name")) == (method, "t-1")


async def test_what_a_modern_upstream_must_not_ask_is_not_asked() -> None:
    endpoint, ear = FakeEndpoint(), Ear()
    async with linked(endpoint, terms=ASKABLE) as link:
        await call(link, "ask_and_answer", hears=ear, envelope=LEGACY)
    assert ear.asks == []


async def test_cancelling_closes_the_stream() -> None:
    endpoint = FakeEndpoint()
    async with linked(endpoint) as link:
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


async def test_a_request_cancelled_before_its_answer_began_is_closed_at_once() -> None:
    endpoint = FakeEndpoint()
    async with linked(endpoint, bounds=Bounds(call_seconds=600)) as link:
        running = asyncio.create_task(call(link, "hang"))
        await endpoint.arrived.wait()
        running.cancel()
        async with asyncio.timeout(5):
            await endpoint.gone.wait()


async def test_cancelling_a_legacy_call_says_so() -> None:
    endpoint = FakeEndpoint("legacy")
    async with linked(endpoint) as link:
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


async def test_the_deadline_closes_the_stream() -> None:
    endpoint = FakeEndpoint()
    async with linked(endpoint, bounds=Bounds(call_seconds=0.2)) as link:
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
async def test_bad_answers_are_catalogued(name: str, reason: str) -> None:
    endpoint = FakeEndpoint()
    async with linked(endpoint) as link:
        assert (await refused(link, name)).reason == reason
        assert all(one.verb == "POST" for one in endpoint.received), "followed a redirect"
        await call(link, "echo")
        if name.startswith("endless"):
            async with asyncio.timeout(5):
                await endpoint.gone.wait()


async def test_an_answer_up_to_the_cap_passes() -> None:
    async with linked(FakeEndpoint()) as link:
        said = await call(link, "large", {"n": 200_000})
        assert len(said["content"][0]["text"]) == 200_000
        assert (await refused(link, "large", {"n": 300_000})).reason == "upstream.too-large"


async def test_a_json_rpc_error_on_an_http_error_is_the_reply() -> None:
    async with linked(FakeEndpoint()) as link:
        reply = await link.request("tools/call", b'{"name":"bad_params"}', envelope=ENVELOPE)
    assert reply.is_error
    assert json.loads(reply.raw)["code"] == -32602


async def test_an_upstream_that_changes_version_is_opened_anew() -> None:
    memory = EraMemory()
    async with linked(FakeEndpoint(), memory) as link:
        await link.request("tools/call", b'{"name":"upgraded"}', envelope=ENVELOPE)
        assert link.broken


async def test_no_cookies_are_kept() -> None:
    endpoint = FakeEndpoint()
    async with linked(endpoint) as link:
        await call(link, "cookie")
        await call(link, "echo")
    assert all(one.header("cookie") is None for one in endpoint.received)


async def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with linked(FakeEndpoint()) as link:
        await call(link, "echo")


async def test_nobody_listening_is_unreachable_and_no_era() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    target = HttpTarget(f"http://127.0.0.1:{port}/mcp?key=hidden")
    one, memory = Registered(Upstream("one"), target, BOUNDS), EraMemory()
    client = build_client(target, BOUNDS)
    with pytest.raises(SendFailed) as failed:
        await open_http(one, Held("one", ALICE), target, client, memory)
    assert failed.value.reason == "upstream.unreachable"
    assert "hidden" not in failed.value.detail
    assert memory.recall(one) is None


@pytest.mark.parametrize("status", [401, 403, 500, 503, 302])
async def test_what_stands_before_the_server_is_no_era(status: int) -> None:
    class Guarded(FakeEndpoint):
        async def _handle(self, got: Any, out: Any) -> None:
            await out.text(status, "no")

    endpoint = Guarded()
    with pytest.raises(SendFailed):
        async with linked(endpoint):
            pass
    assert [one.message["method"] for one in endpoint.received] == ["server/discover"]


async def test_close_fails_what_is_in_flight() -> None:
    endpoint = FakeEndpoint()
    async with linked(endpoint) as link:
        waiting = asyncio.create_task(refused(link, "hang"))
        await endpoint.arrived.wait()
        await link.close()
        assert (await waiting).reason == "upstream.crashed"
        assert link.broken
        assert (await refused(link, "echo")).reason == "upstream.crashed"
