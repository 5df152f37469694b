"""Step 1 and 13 over HTTP: one endpoint over all upstreams, and one an upstream."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn, Protocol

import msgspec
import orjson

from lockgate.app.brake import Brake
from lockgate.app.console_door import FORM_BYTES, hand_over
from lockgate.app.edge import Edge
from lockgate.app.exchange import (
    Application,
    ClientGone,
    Exchange,
    Receive,
    Scope,
    Send,
    is_stdio,
    takes_streams,
)
from lockgate.app.gateway import Gateway
from lockgate.app.incoming import Incoming
from lockgate.app.news import News
from lockgate.app.outbox import Outbox
from lockgate.app.protected_resource import ProtectedResource
from lockgate.app.responding import JSON, respond
from lockgate.app.scim_door import ScimDoor, is_scim
from lockgate.app.stamps import now_ms, stamp
from lockgate.app.streams import Streams
from lockgate.identity.evidence import Evidence
from lockgate.identity.refusal import AuthRefusal
from lockgate.model import REASONS, Json, Principal
from lockgate.pipeline.caller import Caller
from lockgate.wire.answer import refusal
from lockgate.wire.headers import PROTOCOL_VERSION
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.streams import encode_event
from lockgate.wire.versions import is_modern

log = logging.getLogger("lockgate.ingress")


Answerer = Callable[[Exchange], Awaitable[None]]
"""Answers all requests below a path of its own, whose edge has been checked. Raises
``WireRefusal``."""


class Identity(Protocol):
    """``identity.authenticate``."""

    async def authenticate(self, evidence: Evidence, now_ms: int) -> Principal | AuthRefusal: ...

    async def recheck(
        self, evidence: Evidence, now_ms: int, grace_ms: int
    ) -> Principal | AuthRefusal: ...


class Ingress:
    """Raw ASGI application. Whatever goes wrong inside, the client gets a catalogued refusal.

    ``beside``: what else is served here, by its path; whoever answers there authenticates too.
    """

    def __init__(
        self,
        gateway: Gateway,
        edge: Edge,
        identity: Identity,
        refused: Callable[[str, str], None],
        health: Callable[[], dict[str, Any]],
        brake: Brake,
        resource: ProtectedResource,
        beside: Mapping[str, Answerer] = MappingProxyType({}),
    ) -> None:
        self._gateway = gateway
        self.console: Application | None = None
        """Answers below ``/console``. Set once, before the first request, as is ``news``."""
        self.news: News | None = None
        self.edge = edge
        """Replaced whole on reload."""
        self.streams = Streams(gateway, self._holds)
        self._identity = identity
        self._refused = refused
        self._health = health
        self._brake = brake
        self._resource = resource
        self._beside = beside
        self.pages: Application | None = None
        """What is below ``/connect``: for browsers."""
        self.scim: ScimDoor | None = None
        """Replaced on reload."""

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
        self._look_behind_proxy(exchange)
        path = exchange.path.rstrip("/")
        if self.console is not None and f"{path}/".startswith("/console/"):
            await hand_over(exchange, self.console, self.edge.console, self.edge.body_seconds)
            return
        if self.pages is not None and f"{path}/".startswith("/connect/"):
            self._check_host(exchange, pages=True)  # a form's origin is the pages' own business
            body = await exchange.body(FORM_BYTES, self.edge.body_seconds)
            await exchange.hand_to(self.pages, body)
            return
        self._check_edge(exchange)
        if self.scim is not None and is_scim(exchange.path):
            await self.scim.serve(exchange, self.edge.message_bytes, self.edge.body_seconds)
            return
        if beside := self._answerer(exchange.path):
            await beside(exchange)
            return
        if path != "/mcp" and not path.startswith("/mcp/"):
            raise WireRefusal("wire.bad-path")
        principal = await self._principal(exchange)  # before saying which upstreams there are
        endpoint = self._gateway.state.endpoints.get(path)
        if endpoint is None:
            raise WireRefusal("wire.bad-path")
        exchange.caller = Caller(principal, endpoint, exchange.peer, stamp().id)
        self._brake.take(principal)
        await self._answer(exchange, exchange.caller)

    def _answerer(self, path: str) -> Answerer | None:
        """Whoever answers below this path."""
        below = (one for place, one in self._beside.items() if f"{path}/".startswith(f"{place}/"))
        return next(below, None)

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
            case "GET":
                await self.streams.get(exchange, caller)
            case "DELETE":
                ended = await self._gateway.end_session(exchange.headers, caller)
                await respond(exchange, ended)
            case _:
                raise WireRefusal("wire.bad-http-method")

    def _check_edge(self, exchange: Exchange) -> None:
        """DNS rebinding: MCP 2026-07-28, Streamable HTTP, security warning."""
        self._check_host(exchange)
        origin = exchange.headers.all("origin")
        if origin and (len(origin) > 1 or origin[0].lower() not in self.edge.origins):
            raise WireRefusal("wire.bad-origin")

    def _check_host(self, exchange: Exchange, *, pages: bool = False) -> None:
        """``pages``: of people, who may have signed in under the console's name."""
        host = exchange.headers.all("host")
        hosts = self.edge.page_hosts if pages else self.edge.hosts
        if len(host) != 1 or host[0].lower() not in hosts:
            raise WireRefusal("wire.bad-host")
        exchange.base = self.edge.base(host[0])

    def _look_behind_proxy(self, exchange: Exchange) -> None:
        found = self.edge.proxies.sender(
            exchange.certificate, exchange.peer, exchange.headers, now_ms()
        )
        if isinstance(found, AuthRefusal):
            _raise(found)
        exchange.certificate, exchange.peer = found.certificate, found.peer

    async def _principal(self, exchange: Exchange) -> Principal:
        if b"access_token=" in exchange.query or b"key=" in exchange.query:
            raise WireRefusal("auth.in-query")
        known = await self._identity.authenticate(exchange.evidence(), now_ms())
        if isinstance(known, AuthRefusal):
            _raise(known)
        return known

    async def _holds(self, exchange: Exchange) -> bool:
        """Whether the same credential would be let in here as the same principal. Raises
        ``WireRefusal`` where it would not be let in at all."""
        caller = exchange.caller
        grace = self.edge.grace_ms if exchange.method == "POST" else 0
        known = await self._identity.recheck(exchange.evidence(), now_ms(), grace)
        if isinstance(known, AuthRefusal):
            _raise(known)
        return (
            caller is not None
            and known == caller.principal
            and caller.endpoint.path in self._gateway.state.endpoints
        )

    async def _post(self, exchange: Exchange, caller: Caller) -> None:
        _check_media_types(exchange)
        with self._brake.reading(caller.principal, exchange.headers.one("content-length")):
            raw = await exchange.body(self.edge.message_bytes, self.edge.body_seconds)
        outbox = Outbox()
        streams = takes_streams(exchange)
        put = outbox.put if streams else _drop
        caller = msgspec.structs.replace(caller, streams=streams)
        working = asyncio.ensure_future(self._gateway.handle(_incoming(exchange, raw, caller), put))
        self._gateway.inflight.watch(working)
        await self.streams.pump(exchange, caller, working, outbox)

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
        if exchange.over:
            return
        if exchange.started:  # a stream: it has its own way to say so
            await exchange.write(encode_event(body), last=True)
        else:
            challenge = self._resource.challenge(reason, exchange.base, exchange.path)
            headers = [*JSON, *challenge]
            if reason == "wire.bad-http-method":
                headers.append((b"allow", _allowed(exchange)))
            await exchange.turn_away(REASONS[reason].http, body, headers)

    async def _answer_health(self, exchange: Exchange) -> None:
        if exchange.path == "/health/live":
            await exchange.answer(200, b'{"status":"live"}', JSON)
            return
        if exchange.path != "/health/ready":
            raise WireRefusal("wire.bad-path")
        found = self._health()
        status = 200 if found["status"] == "ready" else 503
        await exchange.answer(status, orjson.dumps(found), JSON)


def _raise(refused: AuthRefusal) -> NoReturn:
    log.info("credential refused: %s (%s)", refused.reason, refused.detail)
    raise WireRefusal(refused.reason)


def _check_media_types(exchange: Exchange) -> None:
    sent = (exchange.headers.one("content-type") or "").split(";")[0].strip().lower()
    if sent != "application/json":
        raise WireRefusal("wire.bad-content-type")
    accepted = ",".join(exchange.headers.all("accept")).lower()
    if "*/*" not in accepted and "application/json" not in accepted:
        raise WireRefusal("wire.not-acceptable")


def _allowed(exchange: Exchange) -> bytes:
    """Since 2026-07-28 there is nothing but POST."""
    version = exchange.headers.all(PROTOCOL_VERSION)
    return b"POST" if any(map(is_modern, version)) else b"GET, POST, DELETE"


def _drop(_: bytes) -> None:
    """Notifications are advisory."""


def _incoming(exchange: Exchange, raw: bytes, caller: Caller) -> Incoming:
    # Our stdio shim says so: on stdio there are no headers that could mirror the body. Whoever says
    # so may leave them out, no more: those that are sent must agree with the body all the same.
    stdio = is_stdio(exchange)
    return Incoming(raw, exchange.headers.optional() if stdio else exchange.headers, caller)
