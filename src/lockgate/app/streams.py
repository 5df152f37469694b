"""Answers that take their time: plain JSON, or an event stream once something else comes first; and
the stream of a legacy session that carries what belongs to no call."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from lockgate.app.answers import Answer
from lockgate.app.exchange import Exchange, is_stdio, takes_streams
from lockgate.app.hub import Hub
from lockgate.app.inflight import InFlight
from lockgate.app.outbox import Outbox
from lockgate.app.replay import Place
from lockgate.app.responding import SSE, cancelled, conclude, finish, stream
from lockgate.app.stamps import now_ms
from lockgate.model import Session
from lockgate.pipeline.caller import Caller
from lockgate.pipeline.run import REVOKED
from lockgate.wire import versions
from lockgate.wire.headers import PROTOCOL_VERSION, SESSION, Headers
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.streams import KEEP_ALIVE

KEEP_ALIVE_SECONDS = 15.0
"""Proxies and clients drop silent streams after about 100 s or 300 s."""
STDIO_SECONDS = 1.0
CHECK_SECONDS = 1.5
"""How long a call or a stream may outlive its credential or its session. With the time until the
revocation is seen here (0.5 s) it is 2 s."""

LAST_EVENT = "last-event-id"

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
    """``holds``: whether a request would still be let in as it was, and its endpoint is there.
    Raises ``WireRefusal`` where its credential is not accepted any more."""

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
            await cancelled(exchange, working)
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
            step = min(self._patience(exchange), self.check_seconds)
            quiet = 0.0 if await outbox.changed(step) else quiet + step
            if closed.done():
                self._client_left(exchange, working)
                return None
            # What is done has its outcome on record: it is answered as that says.
            if not working.done() and not await self._goes_on(exchange, working):
                await exchange.write(b"", last=True)
                return None
            due = takes_streams(exchange) and quiet >= self._patience(exchange)
            if not (outbox.waiting or due):
                continue
            session = self._session(exchange, caller)
            if session is not None:
                return session
            await stream(exchange, outbox.take())
            quiet = 0.0
        await finish(exchange, working.result(), outbox.take())
        return None

    async def _goes_on(self, exchange: Exchange, working: "asyncio.Task[Answer]") -> bool:
        """False: the call is ended, and its stream must be. Raises ``WireRefusal``, which is its
        answer then. What has only changed (roles, the configuration) ends what has begun."""
        refused = None
        try:
            goes_on = await self._holds(exchange) or not exchange.started
        except WireRefusal as why:
            goes_on, refused = False, why
        if not goes_on:
            self._gateway.inflight.abandon(working)
            working.cancel(REVOKED)
        if refused is not None and not exchange.started:
            raise refused
        return goes_on

    async def _good(
        self, exchange: Exchange, working: "asyncio.Task[Answer] | None" = None
    ) -> bool:
        """Whether a stream may go on. ``working``: ended where its credential is not accepted."""
        try:
            return await self._holds(exchange)
        except WireRefusal:
            if working is not None:
                working.cancel(REVOKED)
            return False

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
        working.add_done_callback(lambda done: conclude(done, track))
        self._gateway.inflight.abandon(working)
        try:
            await self._follow(exchange, track.follow(), lambda: self._good(exchange, working))
        except asyncio.CancelledError:  # the server is stopping, not the call
            working.cancel()
            raise

    def _session(self, exchange: Exchange, caller: Caller) -> Session | None:
        return self._gateway.resume(exchange.headers, caller) if _is_legacy(exchange) else None

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
        return session is not None and await self._good(exchange)

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


def _is_legacy(exchange: Exchange) -> bool:
    version = exchange.headers.one(PROTOCOL_VERSION)
    modern = version is not None and versions.is_modern(version)
    return not modern and bool(exchange.headers.all(SESSION))
