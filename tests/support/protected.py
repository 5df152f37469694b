"""A small gateway that lets in who shows an access token of a real provider, checked as RFC 9068
section 4 says, and that ends what a token began when the token ends. MCP behind it is a
``FakeGateway``. It is what ``lockgate login`` and ``lockgate stdio`` have at their other end."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from support.carried import FakeGateway
from support.oidc_provider import SCOPES, Provider
from support.upstream_endpoint import Out, serving

PLACE = "/.well-known/oauth-protected-resource"


class Protected:
    """``metadata`` may be changed; empty, there are none."""

    def __init__(self, provider: Provider) -> None:
        self.behind = FakeGateway()
        self.url = ""
        """Of the MCP endpoint, once it is served."""
        self.metadata: dict[str, Any] = {}
        self.asked: list[str] = []
        """Paths of requests for metadata."""
        self.tokens: list[tuple[str, str]] = []
        """Verb and token of each request that was let in."""
        self.subjects: list[str] = []
        self.refused = 0
        self.denied: set[str] = set()
        """Tokens it does not take, whatever they say."""
        self._provider = provider
        self._keys = provider.keys()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        out = Out(receive, send)
        if scope["path"].startswith(PLACE):
            self.asked.append(scope["path"])
            found = self.metadata if scope["path"] == f"{PLACE}/mcp" else {}
            await (out.json(200, found) if found else out.text(404, "no"))
            return
        token = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
        claims = self._claims(token)
        if claims is None or token in self.denied:
            self.refused += 1
            where = f'Bearer resource_metadata="{self.url.removesuffix("/mcp")}{PLACE}/mcp"'
            answer = {"jsonrpc": "2.0", "id": None, "error": {"code": -31000, "message": "no"}}
            await out.json(401, answer, [("www-authenticate", where)])
            return
        self.tokens.append((scope["method"], token))
        self.subjects.append(claims["sub"])
        await self._until_it_ends(scope, receive, send, claims["exp"])

    def _claims(self, token: str) -> dict[str, Any] | None:
        registry = JWTClaimsRegistry(
            now=lambda: int(time.time()), leeway=0,
            iss={"essential": True, "value": self._provider.issuer},
            aud={"essential": True, "value": self.url}, exp={"essential": True},
        )  # fmt: skip
        try:
            found = jwt.decode(token, self._keys, algorithms=["RS256"])
            registry.validate(found.claims)
        except (JoseError, ValueError):
            return None
        return found.claims if found.header.get("typ") == "at+jwt" else None

    async def _until_it_ends(self, scope: Any, receive: Any, send: Any, ends: float) -> None:
        started = False

        async def watched(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(max(0.0, ends - time.time())):
                await self.behind(scope, receive, watched)
        except TimeoutError:
            if started:
                await Out(receive, send).end()


@asynccontextmanager
async def protected(provider: Provider) -> AsyncIterator[Protected]:
    app = Protected(provider)
    async with serving(app) as url:
        app.url = url
        app.metadata = {"resource": url, "authorization_servers": [provider.issuer],
                        "scopes_supported": list(SCOPES[:1])}  # fmt: skip
        yield app
