"""What ``test_send_http`` does not reach."""

from typing import Any

import pytest

from lockgate.model import SendFailed, Terms
from lockgate.model.call import EraName
from lockgate.upstream.endpoint import Endpoint
from lockgate.upstream.exchange import Answer
from lockgate.upstream.handshake_http import Opening, agree, check_served
from lockgate.upstream.http1 import HttpClient
from lockgate.upstream.link import Peer
from lockgate.upstream.target import Bounds, HttpTarget
from lockgate.wire.jsonrpc import Message
from support.upstream_endpoint import FakeEndpoint, serving


def test_what_every_later_message_carries() -> None:
    assert Opening(Peer("modern", "2026-07-28"), "s").headers == {}
    plain = Opening(Peer("legacy", "2025-06-18"))
    assert plain.headers == {"MCP-Protocol-Version": "2025-06-18"}
    assert Opening(plain.peer, "s").headers == {**plain.headers, "Mcp-Session-Id": "s"}


@pytest.mark.parametrize("status", [401, 403, 302, 500])
def test_what_comes_from_before_the_server(status: int) -> None:
    with pytest.raises(SendFailed, match=str(status)):
        check_served(Answer(status))


@pytest.mark.parametrize("status", [200, 202, 400, 404])
def test_what_comes_from_the_server(status: int) -> None:
    check_served(Answer(status))
    check_served(Answer(500, Message("response", 1, error=b"{}")))


@pytest.mark.parametrize(("known", "asked"), [(None, 1), ("modern", 1), ("legacy", 0)])
async def test_a_known_legacy_era_is_not_asked_for(known: EraName | None, asked: int) -> None:
    fake = FakeEndpoint("legacy")
    async with serving(fake) as url:
        endpoint = Endpoint(HttpClient(url, 5), HttpTarget(url), Bounds())
        opened = await agree(endpoint, Terms("a"), known, 5)
    assert opened.session == "session-1"
    methods = [one.message["method"] for one in fake.received]
    assert methods == ["server/discover"] * asked + ["initialize", "notifications/initialized"]


@pytest.mark.parametrize(("times", "era"), [(1, "modern"), (2, "legacy")])
async def test_who_refuses_the_version_that_it_takes_is_asked_once_more(
    times: int, era: EraName
) -> None:
    class Choosy(FakeEndpoint):
        async def _answer(self, message: Any, out: Any) -> None:
            if message["method"] != "server/discover" or len(self.received) > times:
                await super()._answer(message, out)
                return
            data = {"supported": ["2026-07-28"], "requested": "2026-07-28"}
            error = {"code": -32022, "message": "no", "data": data}
            await out.json(400, {"jsonrpc": "2.0", "id": message["id"], "error": error})

        async def _initialize(self, message: Any, out: Any) -> None:
            self.era = "plain"
            await super()._initialize(message, out)

    async with serving(Choosy()) as url:
        endpoint = Endpoint(HttpClient(url, 5), HttpTarget(url), Bounds())
        assert (await agree(endpoint, Terms("a"), None, 5)).peer.era == era


async def test_agreeing_has_a_deadline() -> None:
    class Silent(FakeEndpoint):
        async def _handle(self, got: object, out: object) -> None:
            await self.gone.wait()

    async with serving(Silent()) as url:
        endpoint = Endpoint(HttpClient(url, 5), HttpTarget(url), Bounds())
        with pytest.raises(SendFailed) as failed:
            await agree(endpoint, Terms("a"), None, 0.1)
    assert failed.value.reason == "upstream.timeout"
