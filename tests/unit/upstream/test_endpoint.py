import asyncio

from lockgate.upstream.endpoint import FAREWELLS, Endpoint
from lockgate.upstream.http1 import HttpClient
from lockgate.upstream.target import Bounds, HttpTarget
from lockgate.wire.jsonrpc import encode_notification
from support.upstream_endpoint import FakeEndpoint, serving

NOWHERE = "http://127.0.0.1:1/"
NOTE = encode_notification("notifications/cancelled", b"{}")


async def test_protocol_headers_win_over_configured_ones() -> None:
    fake = FakeEndpoint()
    async with serving(fake) as url:
        headers = {"accept": "x/y", "MCP-SESSION-ID": "theirs", "X-Team": "a"}
        endpoint = Endpoint(HttpClient(url, 5), HttpTarget(url, headers), Bounds())
        await endpoint.tell(NOTE, {"Mcp-Session-Id": "ours"})
    (sent,) = fake.received
    assert sent.header("accept") == "application/json, text/event-stream"
    assert sent.header("x-team") == "a"
    assert [value for name, value in sent.headers if name == "mcp-session-id"] == ["ours"]


async def test_ids_are_never_used_twice() -> None:
    endpoint = Endpoint(HttpClient(NOWHERE, 5), HttpTarget(NOWHERE), Bounds())
    ids = [endpoint.new_id() for _ in range(100)]
    assert len(set(ids)) == 100


async def test_farewells_are_bounded_delivered_before_the_end_and_may_fail() -> None:
    fake = FakeEndpoint()
    async with serving(fake) as url:
        endpoint = Endpoint(HttpClient(url, 5), HttpTarget(url), Bounds())
        for _ in range(FAREWELLS + 50):
            endpoint.tell_later(NOTE, {})
        await endpoint.close({"Mcp-Session-Id": "s"})
    assert [one.verb for one in fake.received] == ["POST"] * FAREWELLS + ["DELETE"]
    gone = Endpoint(HttpClient(NOWHERE, 5), HttpTarget(NOWHERE), Bounds())
    gone.tell_later(NOTE, {})
    async with asyncio.timeout(10):
        await gone.close({"Mcp-Session-Id": "s"})
