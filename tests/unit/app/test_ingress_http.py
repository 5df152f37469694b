import asyncio
import logging
from typing import Any

import msgspec
import orjson
import pytest

from lockgate.app.brake import BODIES
from lockgate.app.scim_door import ScimDoor
from lockgate.identity.certificate import Named
from lockgate.identity.proxies import Proxies, Proxy
from lockgate.identity.trust import Trust
from lockgate.store.quota import QuotaLimits
from lockgate.wire.streams import KEEP_ALIVE
from support.asgi import Visit
from support.certificates import Authority
from support.house import (
    EDGE,
    HEADERS,
    HOST,
    PATIENT,
    PROGRESS,
    STREAM,
    House,
    events,
    legacy,
    modern,
    reason,
)
from support.staged import rows

# How an answer travels.


async def test_an_answer_that_comes_first_is_plain_json() -> None:
    house = House()
    house.upstream.finish.set()
    visit = await house.take(modern("tools/call", PATIENT))
    assert visit.status == 200
    assert visit.headers["content-type"] == "application/json"
    assert visit.json["result"]["content"] == [{"type": "text", "text": "done"}]
    assert len(visit.answers) == 2


async def test_once_something_else_comes_it_is_a_stream() -> None:
    house = House()
    visit = modern("tools/call", PROGRESS)
    task = await house.called(visit)
    assert visit.answers == []
    house.progress()
    await visit.until(lambda v: len(events(v)) == 1)
    assert visit.headers["content-type"] == STREAM
    assert visit.headers["x-accel-buffering"] == "no"
    assert not visit.over
    house.upstream.finish.set()
    await task
    notice, answer = events(visit)
    assert notice["params"] == {"progress": 1, "progressToken": 1}
    assert answer["result"]["content"]
    assert visit.over


async def test_what_comes_with_the_answer_comes_before_it() -> None:
    house = House()
    task = await house.called(visit := modern("tools/call", PROGRESS))
    house.progress()
    house.upstream.finish.set()
    await task
    assert ["method" in e for e in events(visit)] == [True, False]


async def test_silence_is_filled_with_comments() -> None:
    house = House()
    house.ingress.streams.keep_alive_seconds = 0.001
    task = await house.called(visit := modern("tools/call", PATIENT))
    await visit.until(lambda v: v.body.count(KEEP_ALIVE) >= 2)
    assert visit.headers["content-type"] == STREAM
    house.upstream.finish.set()
    await task
    assert len(events(visit)) == 1


async def test_who_takes_no_streams_gets_the_answer_alone() -> None:
    house = House()
    house.ingress.streams.keep_alive_seconds = 0.001
    visit = modern("tools/call", PROGRESS, accept="application/json")
    task = await house.called(visit)
    house.progress()
    await asyncio.wait({task}, timeout=0.05)
    assert visit.answers == []
    house.upstream.finish.set()
    await task
    assert visit.headers["content-type"] == "application/json"
    assert "result" in visit.json


async def test_a_session_is_handed_out_and_ended() -> None:
    house = House()
    session = await house.open()
    headers = {"host": HOST, "authorization": "Bearer alice", "mcp-session-id": session}
    ended = await house.take(Visit("DELETE", "/mcp/clinic", headers))
    assert (ended.status, ended.body) == (204, b"")
    assert "content-type" not in ended.headers
    again = await house.take(legacy(session, "ping", {}))
    assert (again.status, reason(again)) == (404, "session.unknown")


async def test_the_stdio_shim_has_no_headers_that_mirror_the_body() -> None:
    house = House()
    bare: dict[str, str | None] = {
        "mcp_protocol_version": None,
        "mcp_method": None,
        "mcp_name": None,
    }
    plain = await house.take(modern(but=bare))
    assert (plain.status, reason(plain)) == (400, "wire.header-mismatch")
    shim = await house.take(modern(but=bare, lockgate_transport="stdio"))
    assert shim.json["result"]["tools"]
    lying = {**bare, "mcp_method": "tools/call", "lockgate_transport": "stdio"}
    assert reason(await house.take(modern(but=lying))) == "wire.header-mismatch"


# A client that leaves, or takes its request back.


async def test_leaving_cancels_a_modern_call() -> None:
    house = House()
    task = await house.called(visit := modern("tools/call", PATIENT))
    visit.leave()
    await task
    assert await house.outcome() == "call.cancelled"
    assert visit.answers == []


async def test_leaving_does_not_cancel_a_legacy_call() -> None:
    house = House()
    task = await house.called(visit := legacy(await house.open(), "tools/call", PATIENT))
    visit.leave()
    await task
    assert house.stage.gateway.inflight.running == 1
    house.upstream.finish.set()
    assert await house.outcome() == "inspection.clean"
    assert len(house.stage.simulated.calls) == 1


async def cancel(house: House, session: str) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled",
                         "params": {"requestId": 1}})  # fmt: skip
    told = Visit(path="/mcp/clinic", headers={**HEADERS, "mcp-session-id": session}, body=body)
    assert (await house.take(told)).status == 202


async def test_a_cancelled_call_is_not_answered() -> None:
    house = House()
    session = await house.open()
    task = await house.called(visit := legacy(session, "tools/call", PATIENT))
    await cancel(house, session)
    await task
    assert (visit.status, visit.body) == (202, b"")


async def test_the_stream_of_a_cancelled_call_just_ends() -> None:
    house = House()
    session = await house.open()
    task = await house.called(visit := legacy(session, "tools/call", PROGRESS))
    house.progress()
    await visit.until(lambda v: len(events(v)) == 1)
    await cancel(house, session)
    await task
    assert len(events(visit)) == 1
    assert visit.over


async def test_a_server_that_stops_says_so_and_stops_the_call() -> None:
    house = House()
    task = await house.called(visit := modern("tools/call", PATIENT))
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    assert (visit.status, reason(visit)) == (503, "gateway.stopping")
    assert await house.outcome() == "call.cancelled"


async def test_who_leaves_before_the_request_is_whole_gets_no_answer() -> None:
    house = House()
    visit = Visit(path="/mcp/clinic", headers=HEADERS)
    visit.send_body(b"{", more=True)
    visit.leave()
    assert (await house.take(visit)).answers == []


# What is let as far as the gateway.


async def turned_away(house: House, visit: Visit) -> tuple[int, str]:
    await house.take(visit)
    assert visit.headers["connection"] == "close"
    return visit.status, reason(visit)


@pytest.mark.parametrize("host", ["evil.example", "gate.example", "", None])
async def test_other_names_for_this_gateway_are_none(host: str | None) -> None:
    house = House()
    assert await turned_away(house, modern(host=host)) == (421, "wire.bad-host")
    assert house.refused == [("wire.bad-host", "192.0.2.1")]


async def test_a_name_has_no_case_and_is_said_once() -> None:
    house = House()
    assert (await house.take(modern(host=HOST.upper()))).status == 200
    twice = modern()
    twice.scope["headers"].append((b"host", HOST.encode()))
    assert await turned_away(house, twice) == (421, "wire.bad-host")


async def test_only_listed_pages_may_call() -> None:
    house = House()
    listed = "https://console.example"
    assert (await house.take(modern(origin=listed.upper()))).status == 200
    for origin in ("https://evil.example", "null", ""):
        assert await turned_away(house, modern(origin=origin)) == (403, "wire.bad-origin")
    twice = modern(origin=listed)
    twice.scope["headers"].append((b"origin", b"https://evil.example"))
    assert await turned_away(house, twice) == (403, "wire.bad-origin")


async def test_nobody_s_body_is_awaited() -> None:
    house = House()
    visit = modern(authorization=None)
    unsent = Visit(path="/mcp/clinic")
    unsent.scope["headers"] = visit.scope["headers"]
    task = house.begin(unsent)
    await unsent.until(lambda v: v.body != b"")
    assert (unsent.status, reason(unsent)) == (401, "auth.missing")
    assert unsent.headers["www-authenticate"] == 'Bearer realm="lockgate"'
    unsent.leave()
    await task
    assert house.refused == [("auth.missing", "192.0.2.1")]
    assert await rows(house.stage) == []


async def test_a_wrong_key_is_refused_before_saying_which_upstreams_there_are() -> None:
    house = House()
    for path in ("/mcp/clinic", "/mcp/nothing"):
        visit = modern(authorization="Bearer mallory")
        visit.scope["path"] = path
        assert await turned_away(house, visit) == (401, "auth.invalid")
        assert 'error="invalid_token"' in visit.headers["www-authenticate"]
    visit = modern()
    visit.scope["path"] = "/mcp/nothing"
    assert await turned_away(house, visit) == (404, "wire.bad-path")


@pytest.mark.parametrize("query", [b"access_token=x", b"a=b&key=x"])
async def test_keys_do_not_belong_in_urls(query: bytes) -> None:
    visit = modern()
    visit.scope["query_string"] = query
    assert await turned_away(House(), visit) == (400, "auth.in-query")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"content_type": "text/plain"}, 415, "wire.bad-content-type"),
        ({"content_type": None}, 415, "wire.bad-content-type"),
        ({"accept": "text/html"}, 406, "wire.not-acceptable"),
        ({"accept": None}, 406, "wire.not-acceptable"),
        ({"content_length": "10001"}, 413, "wire.too-large"),
    ],
)
async def test_what_is_refused_to_somebody_is_in_the_journal(
    changes: dict[str, str | None], status: int, code: str
) -> None:
    house = House()
    visit = modern(but=changes)
    assert await turned_away(house, visit) == (status, code)
    (row,) = await rows(house.stage)
    assert (row.kind, row.reason) == ("call.refused", code)
    assert row.call == visit.json["error"]["data"]["call"]
    assert house.refused == []


@pytest.mark.parametrize("accept", ["*/*", "Application/JSON", "text/event-stream, */*;q=0.1"])
async def test_media_types_as_http_writes_them(accept: str) -> None:
    visit = modern(accept=accept, content_type="Application/JSON; charset=utf-8")
    assert (await House().take(visit)).status == 200


async def test_a_slow_body_is_not_awaited() -> None:
    house = House(msgspec.structs.replace(EDGE, body_seconds=0.01))
    visit = Visit(path="/mcp/clinic", headers=HEADERS)
    visit.send_body(b"{", more=True)
    task = house.begin(visit)
    await visit.until(lambda v: v.body != b"")
    assert (visit.status, reason(visit)) == (408, "wire.too-slow")
    visit.leave()
    await task


async def test_other_http_methods_are_refused() -> None:
    for method, version, allowed in (("GET", "2026-07-28", "POST"), ("PUT", "2026-07-28", "POST"),
                                     ("PUT", "2025-11-25", "GET, POST, DELETE")):  # fmt: skip
        visit = modern(mcp_protocol_version=version)
        visit.scope["method"] = method
        assert await turned_away(House(), visit) == (405, "wire.bad-http-method")
        assert visit.headers["allow"] == allowed


async def test_other_protocols_are_not_spoken() -> None:
    visit = Visit()
    visit.scope["type"] = "websocket"
    assert (await House().take(visit)).answers == []
    assert visit.reads == 0


@pytest.mark.parametrize("path", ["/", "/mcpx", "/MCP", "/health/"])
async def test_there_is_nothing_anywhere_else(path: str) -> None:
    visit = modern()
    visit.scope["path"] = path
    assert await turned_away(House(), visit) == (404, "wire.bad-path")


# Floods.


async def test_every_message_of_a_principal_counts_whatever_becomes_of_it() -> None:
    house = House(messages=QuotaLimits(60, 3, 1))
    for visit in (modern(content_type="text/plain"), modern("server/discover"), modern()):
        assert (await house.take(visit)).status in (200, 415)
    before = len(await rows(house.stage))
    flood = [modern(), Visit("DELETE", "/mcp/clinic", HEADERS, b"")]
    for visit in flood:
        assert await turned_away(house, visit) == (429, "quota.messages")
        assert visit.json["error"]["data"]["retry_after_ms"] == 1_000
    assert house.stage.counted == [("quota.messages", "192.0.2.1")] * 2
    assert len(await rows(house.stage)) == before


async def test_few_large_bodies_of_a_principal_are_read_at_once() -> None:
    house = House()
    unfinished = [Visit(path="/mcp/clinic", headers=HEADERS) for _ in range(BODIES)]
    tasks = [house.begin(visit) for visit in unfinished]
    for _ in range(3):
        await asyncio.sleep(0)
    assert all(visit.reads for visit in unfinished)
    assert await turned_away(house, modern()) == (429, "quota.messages")
    small = modern("tools/list")
    small.scope["headers"].append((b"content-length", b"100"))
    assert (await house.take(small)).status == 200
    for visit in unfinished:
        visit.leave()
    await asyncio.gather(*tasks)
    assert (await house.take(modern())).status == 200


# Health, and defects.


async def test_health_is_for_everybody() -> None:
    house = House()
    live = await house.take(Visit("GET", "/health/live"))
    assert (live.status, live.json) == (200, {"status": "live"})
    ready = await house.take(Visit("GET", "/health/ready"))
    assert (ready.status, ready.json) == (200, {"status": "ready"})
    house.health = {"status": "not ready", "broken": ["keys"]}
    unready = await house.take(Visit("GET", "/health/ready"))
    assert (unready.status, unready.json) == (503, house.health)


async def test_a_defect_is_a_catalogued_refusal(caplog: pytest.LogCaptureFixture) -> None:
    house = House()
    visit = modern(authorization="Bearer broken")
    assert await turned_away(house, visit) == (500, "pipeline.failed")
    assert b"defect" not in visit.body
    assert house.refused == [("pipeline.failed", "192.0.2.1")]
    assert [r.exc_info is not None for r in caplog.records if r.levelno == logging.ERROR] == [True]


async def test_a_defect_in_somebody_s_request_is_recorded_under_their_name() -> None:
    house = House()
    del house.stage.simulated.result  # what the upstream's answer is made of
    house.upstream.finish.set()
    visit = modern("tools/call", PATIENT)
    assert await turned_away(house, visit) == (500, "pipeline.failed")
    row = [r for r in await rows(house.stage) if r.kind == "call.refused"][-1]
    assert (row.reason, row.call) == ("pipeline.failed", visit.json["error"]["data"]["call"])
    assert b"alice" in row.slots["actor"]
    assert house.refused == []


async def test_a_defect_within_a_stream_ends_it_with_a_refusal() -> None:
    house = House()
    task = await house.called(visit := modern("tools/call", PROGRESS))
    house.progress()
    await visit.until(lambda v: len(events(v)) == 1)
    del house.stage.simulated.result  # what the upstream's answer is made of
    house.upstream.finish.set()
    await task
    assert events(visit)[-1]["error"]["data"]["reason"] == "pipeline.failed"
    assert visit.over
    assert await house.outcome() == "pipeline.failed"


async def test_who_is_no_proxy_may_not_say_which_certificate_a_client_has() -> None:
    house = House()
    forged = {**HEADERS, "x-forwarded-client-cert": 'Cert="x"'}
    visit = await house.take(Visit(headers=forged, body=b"{}"))
    assert visit.json["error"]["data"]["reason"] == "auth.forwarded"
    assert visit.status == 400
    assert house.refused == [("auth.forwarded", "192.0.2.1")]


async def test_what_a_proxy_says_is_who_asks() -> None:
    ca = Authority()
    edge = Proxy("edge", Named("subject", "CN=edge"), "client-cert")
    proxies = Proxies(Trust(ca.pem.encode()), (edge,))
    house = House(msgspec.structs.replace(EDGE, proxies=proxies))
    said = {**HEADERS, "authorization": "Bearer eve", "x-forwarded-for": "198.51.100.9"}
    visit = Visit(headers=said, body=b"{}")
    visit.scope["client_certificate"] = ca.issue("edge").der
    await house.take(visit)
    assert house.refused == [("auth.invalid", "198.51.100.9")]


async def test_there_is_no_console_unless_one_is_configured() -> None:
    house = House()
    visit = Visit("GET", "/console/", {"host": HOST}, b"")
    assert reason(await house.take(visit)) == "wire.bad-path"


async def test_a_console_is_reached_under_its_own_name_and_is_no_way_around_the_gate() -> None:
    async def pages(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    house = House(msgspec.structs.replace(EDGE, console="https://console.example"))
    house.ingress.console = pages

    async def status(path: str, host: str, **more: str) -> int:
        return (await house.take(Visit("GET", path, {"host": host, **more}, b""))).status

    assert await status("/console", "console.example") == 200
    assert await status("/console/x", "console.example", origin="https://console.example") == 200
    assert await status("/console/", HOST) == 421
    assert await status("/console/", "console.example", origin="https://evil.example") == 403
    assert await status("/consoles", HOST) == 404
    assert await status("/mcp", "console.example") == 421
    assert await status("/console/../mcp", "console.example") == 200, "a page, never the gate"


async def test_a_console_that_fails_after_its_answer_adds_nothing_to_it() -> None:
    async def pages(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"sorry"})
        raise ValueError("a defect")

    house = House(msgspec.structs.replace(EDGE, console="https://console.example"))
    house.ingress.console = pages
    visit = Visit("GET", "/console/", {"host": "console.example"}, b"")
    assert (await house.take(visit)).body == b"sorry"
    assert len(visit.answers) == 2


async def test_scim_is_not_there_unless_it_is_switched_on() -> None:
    house = House()
    visit = Visit("GET", "/scim/v2/Users", {"host": HOST}, b"")
    assert (await house.take(visit)).status == 404
    asked: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    house.ingress.scim = ScimDoor(app, ("s" * 32,), "http", lambda *_: None)
    told = {"authorization": f"Bearer {'s' * 32}", "origin": "https://evil.example"}
    for headers, status in (
        ({"host": HOST}, 401),
        ({"host": "evil.example", **told}, 421),
        ({"host": HOST, **told}, 403),
        ({"host": HOST, "authorization": told["authorization"]}, 200),
    ):
        visit = Visit("GET", "/scim/v2/Users", headers, b"")
        assert (await house.take(visit)).status == status
    assert asked == ["/scim/v2/Users"]
    assert (await house.take(Visit("GET", "/scim/v2/Users", HEADERS, b""))).status == 401
