"""Which authorization server gives tokens for an upstream, and as whom we come to it."""

import asyncio

import msgspec

from lockgate.model.fetch import Fetch
from lockgate.upstream.oauth_metadata import OAuthFailed, Server, read_resource, read_server
from lockgate.upstream.oauth_token import Clock, OAuthClient, TokenEndpoint
from lockgate.upstream.target import HttpTarget

KEPT_SECONDS = 3_600
"""How long metadata is used before it is read again."""
_MOST = 1_000


class Authority(msgspec.Struct, frozen=True):
    """Of one upstream."""

    server: Server
    resource: str
    """How the upstream is named in requests for tokens (RFC 8707)."""
    scopes: tuple[str, ...] = ()
    """Those configured, else those that the upstream asks for, else all that it knows."""


class OAuthServers:
    """Reads metadata when they are first needed, and keeps them a while."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._known: dict[str, tuple[int, Server]] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def of(self, target: HttpTarget) -> Authority:
        """Raises ``OAuthFailed``."""
        wanted = target.credential
        if wanted.issuer:
            server = await self.named(wanted.issuer)
            return Authority(server, wanted.resource or target.url, wanted.scopes)
        found = await read_resource(self._fetch, target.url)
        if not found.authorization_servers:
            raise OAuthFailed("the upstream names no authorization server")
        server = await self.named(found.authorization_servers[0])
        scopes = wanted.scopes or found.asked or found.scopes_supported
        return Authority(server, wanted.resource or found.resource, scopes)

    async def named(self, issuer: str) -> Server:
        """Raises ``OAuthFailed``."""
        turn = self._turns.setdefault(issuer, asyncio.Lock())
        async with turn:
            until, server = self._known.get(issuer, (0, None))
            if server is None or until <= self._clock.now():
                server = await read_server(self._fetch, issuer)
                self._known[issuer] = (self._clock.now() + KEPT_SECONDS, server)
        while len(self._known) > _MOST:
            gone = next(iter(self._known))
            del self._known[gone], self._turns[gone]
        return server

    def endpoint(self, server: Server, client: OAuthClient) -> TokenEndpoint:
        return TokenEndpoint(self._fetch, server, client, self._clock)
