"""An authorization server's own description (RFC 8414; OpenID Connect Discovery 1.0)."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit, urlunsplit

from lockgate.identity.issuer import Issuer
from lockgate.model import Json
from lockgate.model.fetch import Fetch, FetchFailed
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import Limits, check

_LIMITS = Limits(bytes=2**18, depth=16)


KEPT_SECONDS = 600.0
"""How long a description is used without asking again."""
REST_SECONDS = 5.0
"""After it could not be had: until then nobody waits for it again, one behind the other."""


class _Held:
    def __init__(self) -> None:
        self.said: Mapping[str, Json] | None = None
        self.read = 0.0
        """When it was: seconds of the clock."""
        self.failed: float | None = None
        self.turn = asyncio.Lock()


class Metadata:
    """``clock``: seconds that only grow. One request at a time for each issuer."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._held: dict[str, _Held] = {}

    async def keys_url(self, issuer: Issuer) -> str:
        """``jwks_uri``. Raises ``FetchFailed``."""
        found = (await self.document(issuer.url)).get("jwks_uri")
        if isinstance(found, str) and found:
            return found
        raise FetchFailed("its metadata names no keys")

    async def document(self, issuer: str) -> Mapping[str, Json]:
        """What the issuer of that URL says of itself. Raises ``FetchFailed``."""
        held = self._held.setdefault(issuer, _Held())
        async with held.turn:
            now = self._clock()
            if held.said is not None and now - held.read < KEPT_SECONDS:
                return held.said
            if held.failed is not None and now - held.failed < REST_SECONDS:
                raise FetchFailed("its metadata could not be had a moment ago")
            held.said, held.failed = None, now
            held.said = await self._ask(issuer)
            held.read, held.failed = now, None
            return held.said

    def forget(self) -> None:
        """Issuers may have changed."""
        self._held.clear()

    async def _ask(self, issuer: str) -> Mapping[str, Json]:
        for url in places(issuer):
            answer = await self._fetch("GET", url, {"accept": "application/json"}, b"")
            if answer.status != 200:
                continue
            said = _document(answer.body)
            if said.get("issuer") != issuer:  # RFC 8414, 3.3: or anybody could stand in for it
                raise FetchFailed("its metadata names another issuer")
            return said
        raise FetchFailed("it has no metadata where it should be")


def places(issuer: str) -> Iterator[str]:
    """In the order of MCP 2026-07-28, Authorization Server Metadata Discovery."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    for kind in ("oauth-authorization-server", "openid-configuration"):
        yield urlunsplit((parts.scheme, parts.netloc, f"/.well-known/{kind}{path}", "", ""))
    if path:
        inside = f"{path}/.well-known/openid-configuration"
        yield urlunsplit((parts.scheme, parts.netloc, inside, "", ""))


def _document(raw: bytes) -> dict[str, Json]:
    try:
        found = check(raw, _LIMITS)
    except WireRefusal as refused:
        raise FetchFailed(f"its metadata is no JSON: {refused.reason}") from None
    if not isinstance(found, dict):
        raise FetchFailed("its metadata is no object")
    return found
