import asyncio
import re
from collections.abc import Mapping

from lockgate.upstream.endpoint import FAREWELLS, Endpoint
from lockgate.upstream.http1 import HttpClient
from lockgate.upstream.target import Bounds, HttpTarget
from lockgate.wire.jsonrpc import encode_notification
from support.upstream_endpoint import FakeEndpoint, serving
from unit.upstream.test_http1 import Server, listening

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


REFUSED = (
    b"HTTP/1.1 %b X\r\ncontent-length: 0\r\nwww-authenticate: "
    b'Bearer error="insufficient_scope", scope="a"\r\n\r\n'
)
ANSWER = b'{"jsonrpc":"2.0","id":1,"result":{}}'
GOOD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER)
    + ANSWER
)


class Rotating:
    """Another credential after each that was refused."""

    def __init__(self) -> None:
        self.number = 1
        self.told: list[tuple[str, bool]] = []

    async def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.number}"}

    async def refused(self, sent: Mapping[str, str], challenge: str, *, again: bool) -> None:
        self.number += 1
        self.told.append((challenge.partition(" ")[0], again))


async def asked(bearer: Rotating, *answers: bytes) -> tuple[int, list[str]]:
    """The status, and the credentials that were shown."""
    server = Server(*answers)
    async with listening(server) as port:
        url = f"http://127.0.0.1:{port}/mcp"
        client = HttpClient(url, 5)
        target = HttpTarget(url, {"Authorization": "configured"})
        endpoint = Endpoint(client, target, Bounds(), bearer)
        answer = await endpoint.ask(1, "ping", b"{}", {})
        await client.close()
    found = re.findall(rb"authorization: (.*?)\r", b"".join(server.requests))
    return answer.status, [one.decode() for one in found]


async def test_what_was_refused_is_asked_once_more_with_another_credential() -> None:
    bearer = Rotating()
    assert await asked(bearer, REFUSED % b"401", GOOD) == (200, ["Bearer 1", "Bearer 2"])
    assert bearer.told == [("Bearer", False)]


async def test_but_no_third_time() -> None:
    bearer = Rotating()
    status, shown = await asked(bearer, REFUSED % b"401", REFUSED % b"401", GOOD)
    assert (status, len(shown)) == (401, 2)
    assert bearer.told == [("Bearer", False), ("Bearer", True)]


async def test_what_is_forbidden_is_told_and_not_asked_again() -> None:
    bearer = Rotating()
    assert await asked(bearer, REFUSED % b"403", GOOD) == (403, ["Bearer 1"])
    assert bearer.told == [("Bearer", False)]
