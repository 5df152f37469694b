"""Step 1 and 13 over HTTP: one endpoint over all upstreams, and one an upstream."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
import orjson

from lockgate.app.brake import Brake
from lockgate.app.exchange import ClientGone, Exchange, HeaderList, Receive, Scope, Send
from lockgate.app.gateway import Answer, Gateway, Incoming
from lockgate.app.outbox import Outbox
from lockgate.app.stamps import now_ms, stamp
from lockgate.identity.refusal import AuthRefusal
from lockgate.model import REASONS, Json, Principal
from lockgate.pipeline.caller import Caller
from lockgate.wire.answer import refusal
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.streams import KEEP_ALIVE, encode_event

log = logging.getLogger("lockgate.ingress")

KEEP_ALIVE_SECONDS = 15.0
"""Proxies and clients drop silent streams after about 100 s or 300 s."""
STDIO_SECONDS = 1.0

TRANSPORT_HEADER = "lockgate-transport"

_JSON: HeaderList = ((b"content-type", b"application/json"),)
_SSE: HeaderList = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


class Edge(msgspec.Struct, frozen=True):
    """What is let as far as authentication."""

    hosts: frozenset[str]
    """Accepted ``Host`` values, lower case, with port where it is not the scheme's own."""
    origins: frozenset[str]
    message_bytes: int
    body_seconds: float


class Authenticate(Protocol):
    def __call__(self, authorization: list[str], now_ms: int) -> Principal | AuthRefusal: ...


class Ingress:
    """Raw ASGI application. Whatever goes wrong inside, the client gets a catalogued refusal."""

    def __init__(
        self,
        gateway: Gateway,
        edge: Edge,
        authenticate: Authenticate,
        refused: Callable[[str, str], None],
        health: Callable[[], dict[str, Any]],
        brake: Brake,
    ) -> None:
        self._gateway = gateway
        self.edge = edge
        """Replaced whole on reload."""
        self.keep_alive_seconds = KEEP_ALIVE_SECONDS
        self._authenticate = authenticate
        self._refused = refused
        self._health = health
        self._brake = brake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        try:
            await self._serve(exchange)
        except ClientGone:
            return
        except WireRefusal as refused:
            await self._refuse(exchange, refused)
        except asyncio.CancelledError:  # by nobody but a server that has waited long enough
            await self._turn_away(exchange, "gateway.stopping")
        except Exception:
            log.exception("a request failed inside the gateway")
            await self._refuse(exchange, WireRefusal("pipeline.failed"))

    async def _serve(self, exchange: Exchange) -> None:
        if exchange.path.startswith("/health/"):
            await self._answer_health(exchange)
            return
        self._check_edge(exchange)
        path = exchange.path.rstrip("/")
        if path != "/mcp" and not path.startswith("/mcp/"):
            raise WireRefusal("wire.bad-path")
        principal = self._principal(exchange)  # before saying which upstreams there are
        endpoint = self._gateway.state.endpoints.get(path)
        if endpoint is None:
            raise WireRefusal("wire.bad-path")
        exchange.caller = Caller(principal, endpoint, exchange.peer, stamp().id)
        self._brake.take(principal)
        await self._answer(exchange, exchange.caller)

    async def _refuse(self, exchange: Exchange, refused: WireRefusal) -> None:
        caller = exchange.caller
        if caller is None:
            self._refused(refused.reason, exchange.peer)
        else:
            self._gateway.note(caller, "", refused.reason, b"")
        call = caller.call if caller else ""
        await self._turn_away(exchange, refused.reason, refused.detail, call, refused.data)

    async def _answer(self, exchange: Exchange, caller: Caller) -> None:
        match exchange.method:
            case "POST":
                await self._post(exchange, caller)
            case "DELETE":
                ended = await self._gateway.end_session(exchange.headers, caller)
                await self._respond(exchange, ended)
            case _:
                raise WireRefusal("wire.bad-http-method")

    def _check_edge(self, exchange: Exchange) -> None:
        """DNS rebinding: MCP 2026-07-28, Streamable HTTP, security warning."""
        host = exchange.headers.all("host")
        if len(host) != 1 or host[0].lower() not in self.edge.hosts:
            raise WireRefusal("wire.bad-host")
        origin = exchange.headers.all("origin")
        if origin and (len(origin) > 1 or origin[0].lower() not in self.edge.origins):
            raise WireRefusal("wire.bad-origin")

    def _principal(self, exchange: Exchange) -> Principal:
        if b"access_token=" in exchange.query or b"key=" in exchange.query:
            raise WireRefusal("auth.in-query")
        known = self._authenticate(exchange.headers.all("authorization"), now_ms())
        if isinstance(known, AuthRefusal):
            log.info("credential refused: %s (%s)", known.reason, known.detail)
            raise WireRefusal(known.reason)
        return known

    async def _post(self, exchange: Exchange, caller: Caller) -> None:
        _check_media_types(exchange)
        with self._brake.reading(caller.principal, exchange.headers.one("content-length")):
            raw = await exchange.body(self.edge.message_bytes, self.edge.body_seconds)
        outbox = Outbox()
        put = outbox.put if _takes_streams(exchange) else _drop
        working = asyncio.ensure_future(self._gateway.handle(_incoming(exchange, raw, caller), put))
        self._gateway.inflight.watch(working)
        await self._pump(exchange, working, outbox)

    async def _pump(
        self, exchange: Exchange, working: "asyncio.Task[Answer]", outbox: Outbox
    ) -> None:
        """Plain JSON where the answer comes first; an event stream once something else does."""
        closed = asyncio.ensure_future(exchange.closed())
        for task in (working, closed):
            task.add_done_callback(outbox.wake)
        try:
            while not working.done():
                changed = await outbox.changed(self._patience(exchange))
                if closed.done():
                    self._client_left(exchange, working)
                    return
                notices = outbox.take()
                if notices or (not changed and _takes_streams(exchange)):
                    await _stream(exchange, notices)
            await self._finish(exchange, working.result(), outbox.take())
        except asyncio.CancelledError:
            await self._cancelled(exchange, working)
        finally:
            closed.cancel()

    def _patience(self, exchange: Exchange) -> float:
        """Seconds until a silent answer gives a sign of life. The stdio shim can close, and so
        cancel, only an answer that has begun: to it a slow one begins early."""
        if exchange.started or not _is_stdio(exchange):
            return self.keep_alive_seconds
        return min(STDIO_SECONDS, self.keep_alive_seconds)

    def _client_left(self, exchange: Exchange, working: "asyncio.Task[Answer]") -> None:
        # Modern: closing the stream is cancelling (2026-07-28, Cancellation). Legacy: it is not,
        # so the call goes on and its outcome is recorded.
        if exchange.headers.all("mcp-session-id"):
            self._gateway.inflight.abandon(working)
        else:
            working.cancel()

    async def _cancelled(self, exchange: Exchange, working: "asyncio.Task[Answer]") -> None:
        if not working.cancelled():  # the server is stopping, not the call
            working.cancel()
            raise asyncio.CancelledError
        if exchange.started:
            await exchange.write(b"", last=True)
        else:
            await exchange.answer(202, b"")

    async def _finish(self, exchange: Exchange, answer: Answer, notices: list[bytes]) -> None:
        if notices:
            await _stream(exchange, notices)
        if exchange.started:
            await exchange.write(encode_event(answer.body), last=True)
        else:
            await self._respond(exchange, answer)

    async def _respond(self, exchange: Exchange, answer: Answer) -> None:
        headers: list[tuple[bytes, bytes]] = [*_JSON] if answer.body else []
        if answer.session:
            headers.append((b"mcp-session-id", answer.session.encode()))
        await exchange.answer(answer.status, answer.body, headers)

    async def _turn_away(
        self,
        exchange: Exchange,
        reason: str,
        detail: str = "",
        call: str = "",
        data: dict[str, Json] | None = None,
    ) -> None:
        """A refusal that belongs to no MCP request; the connection ends with it."""
        _, body = refusal(
            reason, id=None, method="", call_id=call, detail=detail, data=data, era="modern"
        )
        if exchange.started:  # a stream: it has its own way to say so
            await exchange.write(encode_event(body), last=True)
        else:
            headers = [*_JSON, *_EXTRA.get(reason, ())]
            await exchange.turn_away(REASONS[reason].http, body, headers)

    async def _answer_health(self, exchange: Exchange) -> None:
        if exchange.path == "/health/live":
            await exchange.answer(200, b'{"status":"live"}', _JSON)
            return
        if exchange.path != "/health/ready":
            raise WireRefusal("wire.bad-path")
        found = self._health()
        status = 200 if found["status"] == "ready" else 503
        await exchange.answer(status, orjson.dumps(found), _JSON)


_EXTRA: dict[str, HeaderList] = {
    "auth.missing": ((b"www-authenticate", b'Bearer realm="lockgate"'),),
    "auth.invalid": ((b"www-authenticate", b'Bearer realm="lockgate", error="invalid_token"'),),
    "wire.bad-http-method": ((b"allow", b"POST, DELETE"),),
}


def _check_media_types(exchange: Exchange) -> None:
    sent = (exchange.headers.one("content-type") or "").split(";")[0].strip().lower()
    if sent != "application/json":
        raise WireRefusal("wire.bad-content-type")
    accepted = ",".join(exchange.headers.all("accept")).lower()
    if "*/*" not in accepted and "application/json" not in accepted:
        raise WireRefusal("wire.not-acceptable")


def _takes_streams(exchange: Exchange) -> bool:
    """Clients MUST accept event streams; whoever does not gets plain JSON and no notifications."""
    accepted = ",".join(exchange.headers.all("accept")).lower()
    return "*/*" in accepted or "text/event-stream" in accepted


def _is_stdio(exchange: Exchange) -> bool:
    return exchange.headers.one(TRANSPORT_HEADER) == "stdio"


def _drop(_: bytes) -> None:
    """Notifications are advisory."""


def _incoming(exchange: Exchange, raw: bytes, caller: Caller) -> Incoming:
    # Our stdio shim says so: on stdio there are no headers that could mirror the body. Whoever says
    # so may leave them out, no more: those that are sent must agree with the body all the same.
    stdio = _is_stdio(exchange)
    return Incoming(raw, exchange.headers.optional() if stdio else exchange.headers, caller)


async def _stream(exchange: Exchange, notices: list[bytes]) -> None:
    if not exchange.started:
        await exchange.start(200, _SSE)
    await exchange.write(b"".join(map(encode_event, notices)) or KEEP_ALIVE)
