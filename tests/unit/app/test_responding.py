"""How streams are spoken is tested in ``test_streams``; here: what an answer is, at once."""

import asyncio

import pytest

from lockgate.app.answers import Answer
from lockgate.app.responding import cancelled, finish, respond
from support.asgi import Visit
from support.house import STREAM, events


async def test_an_answer_has_its_session_and_a_type_only_with_a_body() -> None:
    await respond((visit := Visit()).exchange, Answer(200, b"{}", "s-1"))
    assert (visit.status, visit.body, visit.headers["mcp-session-id"]) == (200, b"{}", "s-1")
    assert visit.headers["content-type"] == "application/json"
    await respond((visit := Visit()).exchange, Answer(202))
    assert (visit.status, visit.headers) == (202, {"content-length": "0"})


async def test_what_comes_first_makes_it_a_stream() -> None:
    await finish((visit := Visit()).exchange, Answer(200, b'{"b":2}'), [b'{"a":1}'])
    assert visit.headers["content-type"] == STREAM
    assert events(visit) == [{"a": 1}, {"b": 2}]
    assert visit.over


async def forever() -> Answer:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_cancelled_call_is_answered_with_nothing() -> None:
    working = asyncio.ensure_future(forever())
    working.cancel()
    await asyncio.wait({working})
    await cancelled((visit := Visit()).exchange, working)
    assert (visit.status, visit.body) == (202, b"")


async def test_a_server_that_stops_stops_the_call() -> None:
    working = asyncio.ensure_future(forever())
    with pytest.raises(asyncio.CancelledError):
        await cancelled(Visit().exchange, working)
    await asyncio.wait({working})
    assert working.cancelled()
