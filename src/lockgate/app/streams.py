"""Answers that take their time: plain JSON, or an event stream once something else comes first; and
the stream of a legacy session that carries what belongs to no call."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from lockgate.app.answers import Answer
from lockgate.app.exchange import Exchange, HeaderList, is_stdio, takes_streams
from lockgate.app.hub import Hub
from lockgate.app.inflight import InFlight
from lockgate.app.outbox import Outbox
from lockgate.app.replay import Place, Track
from lockgate.app.stamps import now_ms
from lockgate.model import Session
from lockgate.pipeline.caller import Caller
from lockgate.wire import versions
from lockgate.wire.answer import refusal
from lockgate.wire.headers import PROTOCOL_VERSION, SESSION, Headers
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.streams import KEEP_ALIVE, encode_event

KEEP_ALIVE_SECONDS = 15.0
"""Proxies and clients drop silent streams after about 100 s or 300 s."""
STDIO_SECONDS = 1.0
CHECK_SECONDS = 1.5
"""How long a stream may outlive its credential or its session. With the time until the revocation
is seen here (0.5 s) it is 2 s."""

LAST_EVENT = "last-event-id"

JSON: HeaderList = ((b"content-type", b"application/json"),)
SSE: HeaderList = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)

Relay = Callable[[Place, int], Awaitable["Following | None"]]
"""What another worker keeps; None where that one cannot be reached. Raises ``WireRefusal``."""


class Following(Protocol):
    """One connection's view of a stream: see ``replay.Follower``."""

    @property
    def over(self) -> bool: ...

    def wake(self, _: object = None) -> None: ...

    def take(self) -> bytes: ...

    async def changed(self, seconds: float) -> bool: ...

    def leave(self, now_ms: int) -> None: ...


class Speaks(Protocol):
    """What is needed of the gateway."""

    hub: Hub
    inflight: InFlight

    def resume(self, headers: Headers, caller: Caller) -> Session | None: ...


async def alone(place: Place, after: int) -> Following | None:  # noqa: ARG001
    """There is no other worker."""
    return None


class Streams:
    """``holds``: whether the credential of a request is still good, and its endpoint there."""

    def __init__(
        self,
        gateway: Speaks,
        holds: Callable[[Exchange], Awaitable[bool]],
        relay: Relay = alone,
    ) -> None:
        self.keep_alive_seconds = KEEP_ALIVE_SECONDS
        self.check_seconds = CHECK_SECONDS
        self._gateway = gateway
        self._holds = holds
        self.relay = relay
        """Set before the first request."""

    # The answer to a POST.

    async def pump(
        self, exchange: Exchange, caller: Caller, working: "asyncio.Task[Answer]", outbox: Outbox
    ) -> None:
        """Carry what ``working`` says to its client, until it is done or the client has left."""
        closed = asyncio.ensure_future(exchange.closed())
        for task in (working, closed):
            task.add_done_callback(outbox.wake)
        try:
            session = await self._plain(exchange, caller, working, outbox, closed)
        except asyncio.CancelledError:
            await _cancelled(exchange, working)
            return
        finally:
            closed.cancel()
        if session is not None:
            await self._resumable(exchange, session, working, outbox)

    async def _plain(
        self,
        exchange: Exchange,
        caller: Caller,
        working: "asyncio.Task[Answer]",
        outbox: Outbox,
        closed: "asyncio.Task[None]",
    ) -> Session | None:
        """Until it ends; or the session, where it becomes a stream that can be resumed."""
        quiet = 0.0
        while not working.done():
            step = self._step(exchange)
            quiet = 0.0 if await outbox.changed(step) else quiet + step
            if closed.done():
                self._client_left(exchange, working)
                return None
            if exchange.started and not await self._holds(exchange):
                working.cancel()
                await asyncio.wait({working})
                break
            due = takes_streams(exchange) and quiet >= self._patience(exchange)
            if not (outbox.waiting or due):
                continue
            session = self._session(exchange, caller)
            if session is not None:
                return session
            await _stream(exchange, outbox.take())
            quiet = 0.0
        await _finish(exchange, working.result(), outbox.take())
        return None

    async def _resumable(
        self,
        exchange: Exchange,
        session: Session,
        working: "asyncio.Task[Answer]",
        outbox: Outbox,
    ) -> None:
        """A legacy client that leaves does not cancel: what it misses is kept for its return."""
        track = self._gateway.hub.replay.open(session)
        outbox.forward(track.put)
        working.add_done_callback(lambda done: _conclude(done, track))
        self._gateway.inflight.abandon(working)
        try:
            await self._follow(exchange, track.follow(), lambda: self._holds(exchange))
        except asyncio.CancelledError:  # the server is stopping, not the call
            working.cancel()
            raise

    def _session(self, exchange: Exchange, caller: Caller) -> Session | None:
        return self._gateway.resume(exchange.headers, caller) if _is_legacy(exchange) else None

    def _step(self, exchange: Exchange) -> float:
        """Seconds until the next look. Before it has begun there is nothing to end."""
        patience = self._patience(exchange)
        return min(patience, self.check_seconds) if exchange.started else patience

    def _patience(self, exchange: Exchange) -> float:
        """Seconds until a silent answer gives a sign of life. The stdio shim can close, and so
        cancel, only an answer that has begun: to it a slow one begins early."""
        if exchange.started or not is_stdio(exchange):
            return self.keep_alive_seconds
        return min(STDIO_SECONDS, self.keep_alive_seconds)

    def _client_left(self, exchange: Exchange, working: "asyncio.Task[Answer]") -> None:
        # Modern: closing the stream is cancelling (2026-07-28, Cancellation). Legacy: it is not,
        # so the call goes on and its outcome is recorded.
        if exchange.headers.all(SESSION):
            self._gateway.inflight.abandon(working)
        else:
            working.cancel()

    # The stream of a session.

    async def get(self, exchange: Exchange, caller: Caller) -> None:
        """What belongs to no call, or (with ``Last-Event-ID``) what followed that event.

        Raises ``WireRefusal``.
        """
        version = exchange.headers.one(PROTOCOL_VERSION)
        if version is not None and versions.is_modern(version):
            raise WireRefusal("wire.bad-http-method")
        if not takes_streams(exchange):
            raise WireRefusal("wire.not-acceptable")
        session = self._gateway.resume(exchange.headers, caller)
        if session is None:
            raise WireRefusal("session.missing")
        if version is not None and version != session.version:
            raise WireRefusal("wire.header-mismatch", "MCP-Protocol-Version is not the session's")
        last = exchange.headers.one(LAST_EVENT)
        if last:
            follower = await self._again(last, session)
        else:
            follower = self._gateway.hub.attend(session, caller).follow()
        await self._follow(exchange, follower, lambda: self._stands(exchange, caller))

    async def _again(self, last: str, session: Session) -> Following:
        """What followed the event ``last``. Raises ``WireRefusal``."""
        replay = self._gateway.hub.replay
        place, after = replay.read(last, session)
        if place.node == replay.node:
            return replay.find(place).follow(after)
        follower = await self.relay(place, after)
        if follower is None:
            raise WireRefusal("stream.elsewhere")
        return follower

    async def _stands(self, exchange: Exchange, caller: Caller) -> bool:
        """The credential is good and the session has not ended, here or in another worker."""
        try:
            session = self._gateway.resume(exchange.headers, caller)
        except WireRefusal:
            return False
        return session is not None and await self._holds(exchange)

    async def _follow(
        self, exchange: Exchange, follower: Following, stands: Callable[[], Awaitable[bool]]
    ) -> None:
        closed = asyncio.ensure_future(exchange.closed())
        closed.add_done_callback(follower.wake)
        step = min(self.check_seconds, self.keep_alive_seconds)
        quiet = 0.0
        try:
            await exchange.start(200, SSE)
            while not closed.done() and await stands():
                said = follower.take()
                if said or quiet >= self.keep_alive_seconds:
                    await exchange.write(said or KEEP_ALIVE)
                    quiet = 0.0
                if follower.over:
                    break
                quiet = 0.0 if await follower.changed(step) else quiet + step
            if not closed.done():
                await exchange.write(b"", last=True)
        finally:
            closed.cancel()
            follower.leave(now_ms())
            self._gateway.hub.replay.trim()


async def respond(exchange: Exchange, answer: Answer) -> None:
    """The whole answer at once."""
    headers: list[tuple[bytes, bytes]] = [*JSON] if answer.body else []
    if answer.session:
        headers.append((SESSION.encode(), answer.session.encode()))
    await exchange.answer(answer.status, answer.body, headers)


def _is_legacy(exchange: Exchange) -> bool:
    version = exchange.headers.one(PROTOCOL_VERSION)
    modern = version is not None and versions.is_modern(version)
    return not modern and bool(exchange.headers.all(SESSION))


def _conclude(done: "asyncio.Task[Answer]", track: Track) -> None:
    """The answer is the stream's last event. A cancelled call has none."""
    if not done.cancelled():
        if done.exception() is not None:
            _, body = refusal("pipeline.failed", id=None, method="", call_id="", era="legacy")
            track.put(body)
        elif done.result().body:
            track.put(done.result().body)
    track.finish()


async def _cancelled(exchange: Exchange, working: "asyncio.Task[Answer]") -> None:
    if not working.cancelled():  # the server is stopping, not the call
        working.cancel()
        raise asyncio.CancelledError
    if exchange.started:
        await exchange.write(b"", last=True)
    else:
        await exchange.answer(202, b"")


async def _finish(exchange: Exchange, answer: Answer, notices: list[bytes]) -> None:
    if notices:
        await _stream(exchange, notices)
    if exchange.started:
        await exchange.write(encode_event(answer.body), last=True)
    else:
        await respond(exchange, answer)


async def _stream(exchange: Exchange, notices: list[bytes]) -> None:
    if not exchange.started:
        await exchange.start(200, SSE)
    await exchange.write(b"".join(map(encode_event, notices)) or KEEP_ALIVE)
