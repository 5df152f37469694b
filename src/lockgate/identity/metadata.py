"""An authorization server's own description (RFC 8414; OpenID Connect Discovery 1.0)."""

from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

from lockgate.identity.issuer import Issuer
from lockgate.model import Json
from lockgate.model.fetch import Fetch, FetchFailed
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import Limits, check

_LIMITS = Limits(bytes=2**18, depth=16)


class Metadata:
    """Asked for when keys are: there is nothing else in it that a resource server needs."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def keys_url(self, issuer: Issuer) -> str:
        """``jwks_uri``. Raises ``FetchFailed``."""
        for url in places(issuer.url):
            answer = await self._fetch("GET", url, {"accept": "application/json"}, b"")
            if answer.status != 200:
                continue
            said = _document(answer.body)
            if said.get("issuer") != issuer.url:  # RFC 8414, 3.3: or anybody could stand in for it
                raise FetchFailed("its metadata names another issuer")
            found = said.get("jwks_uri")
            if isinstance(found, str) and found:
                return found
            raise FetchFailed("its metadata names no keys")
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
