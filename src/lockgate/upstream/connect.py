"""Opens links of either kind, and keeps what an upstream's links have in common."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import orjson

from lockgate.model import SendFailed, Terms
from lockgate.upstream.child import Tail
from lockgate.upstream.credential import Bearer, NoBearer
from lockgate.upstream.declared import declared
from lockgate.upstream.http1 import HttpClient
from lockgate.upstream.link import Event, Link
from lockgate.upstream.listen import SUBSCRIBE
from lockgate.upstream.opening import EraMemory, speaking
from lockgate.upstream.send_http import open_http
from lockgate.upstream.send_stdio import open_stdio
from lockgate.upstream.target import (
    Bounds,
    HttpTarget,
    Registered,
    StdioTarget,
    Target,
    WithheldTarget,
)
from lockgate.upstream.tls import context_of
from lockgate.upstream.traffic import Held

CONNECT_SECONDS = 10.0
REMEMBERED = 1_000
"""Links that are over, for what was subscribed to over them. Nothing else of them is kept."""

Key = tuple[str, Terms]
"""Upstream name, and for whom the link is held."""


def build_client(target: HttpTarget, bounds: Bounds) -> HttpClient:
    """The one pool of connections to an upstream."""
    seconds = min(CONNECT_SECONDS, bounds.connect_seconds)
    return HttpClient(target.url, seconds, context_of(target.tls))


async def _resubscribe(link: Link, uris: frozenset[str], held: Held, bounds: Bounds) -> None:
    """What changed in between nobody told, and what fails nobody waits for."""
    with suppress(SendFailed, TimeoutError):
        async with asyncio.timeout(bounds.connect_seconds):
            for uri in sorted(uris):
                params = orjson.dumps({"uri": uri})
                await link.request(SUBSCRIBE, params, envelope=speaking(held.terms))
    held.missed(declared(link.peer.capabilities).kinds, uris)


class Connector:
    """One pool of HTTP connections an upstream, one memory of eras, one tail of stderr lines."""

    def __init__(
        self,
        build: Callable[[HttpTarget, Bounds], HttpClient] = build_client,
        memory: EraMemory | None = None,
        events: Callable[[Event], None] = lambda _: None,
        bearer: Callable[[Registered, str], Bearer] = lambda *_: NoBearer(),
    ) -> None:
        """``events`` is told what upstreams say outside of any request. It never blocks.
        ``bearer`` gives the credential of the principal with an id."""
        self._build = build
        self._memory = memory or EraMemory()
        self._events = events
        self._bearer = bearer
        self._links: dict[Key, tuple[Target, Link]] = {}
        """The last one held on each terms, while it works."""
        self._over: dict[Key, tuple[Target, frozenset[str]]] = {}
        """What was subscribed to over it, when it works no longer."""
        self._clients: dict[str, tuple[HttpTarget, HttpClient]] = {}
        self._tails: dict[str, Tail] = {}

    async def __call__(self, registered: Registered, terms: Terms) -> Link:
        """A link held on ``terms``. What was subscribed to over the one before, if that broke, is
        subscribed to again, and what it may have missed is told. Raises ``SendFailed``."""
        held, key = Held(registered.name, terms, self._events), (registered.name, terms)
        link = await self._open(registered, held)
        target, uris = self._before(key)
        if target == registered.target:
            await _resubscribe(link, uris, held, registered.bounds)
        self._links[key] = (registered.target, link)
        self._let_go()
        return link

    def _before(self, key: Key) -> tuple[Target | None, frozenset[str]]:
        """Where the last link held on these terms led, and what was subscribed to over it."""
        target, link = self._links.pop(key, (None, None))
        kept = self._over.pop(key, (None, frozenset[str]()))
        return (target, link.subscribed) if link else kept

    def _let_go(self) -> None:
        """A link drags its buffers and tasks along: what is over is kept as its few names only."""
        for key in [key for key, (_, one) in self._links.items() if one.broken]:
            target, link = self._links.pop(key)
            self._over[key] = (target, link.subscribed)
        while len(self._over) > REMEMBERED:
            del self._over[next(iter(self._over))]

    async def _open(self, registered: Registered, held: Held) -> Link:
        target = registered.target
        if isinstance(target, StdioTarget):
            tail = self._tails.setdefault(registered.name, Tail())
            return await open_stdio(registered, held, target, self._memory, tail)
        if isinstance(target, WithheldTarget):
            raise SendFailed("upstream.secret", target.why)
        client = self._client(registered, target)
        bearer = self._bearer(registered, held.terms.holder)
        return await open_http(registered, held, target, client, self._memory, bearer)

    def stderr_tail(self, name: str) -> tuple[str, ...]:
        """The last lines that this upstream's programs wrote to stderr. For operators only."""
        tail = self._tails.get(name)
        return tail.lines() if tail else ()

    async def close(self) -> None:
        """After all links are closed."""
        for _, client in self._clients.values():
            await client.close()
        self._clients.clear()

    def _client(self, registered: Registered, target: HttpTarget) -> HttpClient:
        known, client = self._clients.get(registered.name, (None, None))
        if client is None or known != target:
            # The old one goes with the last link that still uses it.
            client = self._build(target, registered.bounds)
            self._clients[registered.name] = (target, client)
        return client
