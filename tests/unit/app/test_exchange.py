import asyncio
from typing import Any

import pytest

from lockgate.app.exchange import ClientGone
from lockgate.wire.refusal import WireRefusal
from support.asgi import Visit


async def refused(visit: Visit, most: int = 10, seconds: float = 5.0) -> str:
    with pytest.raises(WireRefusal) as caught:
        await visit.exchange.body(most, seconds)
    return caught.value.reason


async def test_a_body_is_put_together() -> None:
    visit = Visit()
    visit.send_body(b"01234", more=True)
    visit.send_body(b"56789")
    assert await visit.exchange.body(10, 5.0) == b"0123456789"


async def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    visit = Visit(headers={"content-length": "11"}, body=b"0")
    assert await refused(visit) == "wire.too-large"
    assert visit.reads == 0


async def test_a_body_that_becomes_too_large_is_read_no_further() -> None:
    visit = Visit()
    for _ in range(5):
        visit.send_body(b"01234", more=True)
    assert await refused(visit) == "wire.too-large"
    assert visit.reads == 3


async def test_a_body_that_does_not_come_is_not_awaited_forever() -> None:
    visit = Visit()
    visit.send_body(b"0", more=True)
    assert await refused(visit, seconds=0.01) == "wire.too-slow"


async def test_two_lengths_are_one_too_many() -> None:
    visit = Visit(headers=(("content-length", "1"), ("content-length", "2")), body=b"0")
    assert await refused(visit) == "wire.header-mismatch"


async def test_a_client_that_leaves_halfway_sent_nothing() -> None:
    visit = Visit()
    visit.send_body(b"0", more=True)
    visit.leave()
    with pytest.raises(ClientGone):
        await visit.exchange.body(10, 5.0)


async def test_closed_is_when_the_client_leaves() -> None:
    visit = Visit(body=b"")
    waiting = asyncio.ensure_future(visit.exchange.closed())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert visit.reads == 2
    assert not waiting.done()
    visit.leave()
    await asyncio.wait_for(waiting, 5)


async def test_an_answer_is_whole() -> None:
    visit = Visit()
    exchange = visit.exchange
    assert not exchange.started
    await exchange.answer(418, b"tea", ((b"x", b"y"),))
    assert (visit.status, visit.body, visit.over) == (418, b"tea", True)
    assert visit.headers == {"x": "y", "content-length": "3"}
    assert exchange.started


async def test_a_stream_ends_when_it_is_said_to() -> None:
    visit = Visit()
    exchange = visit.exchange
    await exchange.start(200, ())
    await exchange.write(b"a")
    assert not visit.over
    await exchange.write(b"b", last=True)
    assert (visit.body, visit.over) == (b"ab", True)


async def test_who_is_turned_away_may_first_finish_speaking() -> None:
    visit = Visit()
    answering = asyncio.ensure_future(visit.exchange.turn_away(413, b"no"))
    await visit.until(lambda v: v.body == b"no")
    assert visit.headers == {"content-length": "2", "connection": "close"}
    visit.send_body(b"0" * 100, more=True)
    await asyncio.sleep(0)
    assert not visit.over, "closed while the client is still sending: it would never read why"
    visit.send_body(b"0" * 100)
    await asyncio.wait_for(answering, 5)
    assert visit.over


async def test_who_has_been_heard_out_is_turned_away_at_once() -> None:
    visit = Visit(body=b"all")
    exchange = visit.exchange
    await exchange.body(10, 5.0)
    await asyncio.wait_for(exchange.turn_away(400, b"no"), 5)
    assert (visit.reads, visit.over) == (1, True)


async def test_who_has_sent_too_much_but_all_is_turned_away_at_once() -> None:
    visit = Visit(body=b"0" * 11)
    exchange = visit.exchange
    with pytest.raises(WireRefusal):
        await exchange.body(10, 5.0)
    await asyncio.wait_for(exchange.turn_away(413, b"no"), 5)
    assert visit.reads == 1


async def test_who_left_is_turned_away_at_once() -> None:
    visit = Visit()
    visit.leave()
    await asyncio.wait_for(visit.exchange.turn_away(400, b"no"), 5)
    assert visit.over


def test_a_peer_without_an_address_has_none() -> None:
    visit = Visit(path="/x", query=b"a=b")
    assert visit.exchange.peer == "192.0.2.1"
    assert (visit.exchange.path, visit.exchange.query) == ("/x", b"a=b")
    visit.scope["client"] = None
    assert visit.exchange.peer == ""


def test_evidence_holds_what_the_client_has_shown() -> None:
    visit = Visit(headers={"authorization": "Bearer x"})
    assert visit.exchange.evidence().certificate == b""
    visit.scope["client_certificate"] = b"der"
    exchange = visit.exchange
    shown = exchange.evidence()
    assert (shown.authorization, shown.peer) == (("Bearer x",), "192.0.2.1")
    assert shown.certificate == b"der"
    exchange.peer, exchange.certificate = "192.0.2.2", b""  # as a proxy said
    assert (exchange.evidence().peer, exchange.evidence().certificate) == ("192.0.2.2", b"")


async def test_another_application_answers_with_the_body_that_was_read() -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        first = await receive()
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode() + first["body"]})
        assert (await receive())["type"] == "http.disconnect"

    visit = Visit(path="/console/", body=b"a=1")
    exchange = visit.exchange
    body = await exchange.body(10, 5.0)
    visit.leave()
    await exchange.hand_to(echo, body)
    assert (visit.status, visit.body, exchange.started) == (201, b"/console/a=1", True)
