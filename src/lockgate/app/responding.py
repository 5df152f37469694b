"""How an answer goes out: at once, or as the last event of a stream."""

import asyncio

from lockgate.app.answers import Answer
from lockgate.app.exchange import Exchange, HeaderList
from lockgate.app.replay import Track
from lockgate.wire.answer import refusal
from lockgate.wire.headers import SESSION
from lockgate.wire.streams import KEEP_ALIVE, encode_event

JSON: HeaderList = ((b"content-type", b"application/json"),)
SSE: HeaderList = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


async def respond(exchange: Exchange, answer: Answer) -> None:
    """The whole answer at once."""
    headers: list[tuple[bytes, bytes]] = [*JSON] if answer.body else []
    if answer.session:
        headers.append((SESSION.encode(), answer.session.encode()))
    await exchange.answer(answer.status, answer.body, headers)


def conclude(done: "asyncio.Task[Answer]", track: Track) -> None:
    """The answer is the stream's last event. A cancelled call has none."""
    if not done.cancelled():
        if done.exception() is not None:
            _, body = refusal("pipeline.failed", id=None, method="", call_id="", era="legacy")
            track.put(body)
        elif done.result().body:
            track.put(done.result().body)
    track.finish()


async def cancelled(exchange: Exchange, working: "asyncio.Task[Answer]") -> None:
    if not working.cancelled():  # the server is stopping, not the call
        working.cancel()
        raise asyncio.CancelledError
    if exchange.started:
        await exchange.write(b"", last=True)
    else:
        await exchange.answer(202, b"")


async def finish(exchange: Exchange, answer: Answer, notices: list[bytes]) -> None:
    if notices:
        await stream(exchange, notices)
    if exchange.started:
        await exchange.write(encode_event(answer.body), last=True)
    else:
        await respond(exchange, answer)


async def stream(exchange: Exchange, notices: list[bytes]) -> None:
    if not exchange.started:
        await exchange.start(200, SSE)
    await exchange.write(b"".join(map(encode_event, notices)) or KEEP_ALIVE)
