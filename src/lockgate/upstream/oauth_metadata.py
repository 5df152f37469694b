"""What a protected MCP server and its authorization server say of themselves.

MCP 2026-07-28, Authorization: protected resource metadata (RFC 9728) first, then the metadata of
the authorization server it names (RFC 8414 or OpenID Connect Discovery), whose ``issuer`` must be
the name it was asked under. All of it is the other side's word: nothing is asked but through the
fetcher, and no address goes to a browser that is not a web address.
"""

from collections.abc import Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from lockgate.model.fetch import Fetch, FetchFailed
from lockgate.upstream.challenge import challenge_of

_PROBE = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
_ASKING = {
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
}

T = TypeVar("T")


class OAuthFailed(Exception):
    """No token came of it. The text is for operators and holds nothing that was sent.

    ``code``: the authorization server's error (RFC 6749, section 5.2), where it gave one.
    """

    def __init__(self, why: str, code: str = "") -> None:
        super().__init__(why)
        self.code = code


class Resource(msgspec.Struct, frozen=True):
    """A protected MCP server (RFC 9728, section 2)."""

    resource: str
    authorization_servers: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    """Scopes of its challenge: what it wants now, whatever else it supports."""


class Server(msgspec.Struct, frozen=True):
    """An authorization server (RFC 8414, section 2)."""

    issuer: str
    token_endpoint: str
    authorization_endpoint: str = ""
    registration_endpoint: str = ""
    revocation_endpoint: str = ""
    """RFC 7009; empty where it has none."""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ()
    code_challenge_methods_supported: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()
    authorization_response_iss_parameter_supported: bool = False
    """It names itself in the response (RFC 9207)."""
    client_id_metadata_document_supported: bool = False


async def read_resource(fetch: Fetch, url: str) -> Resource:
    """What the server at ``url`` says. Without metadata, as servers of 2025-03-26 had none, its own
    origin is its authorization server.

    Raises ``OAuthFailed``.
    """
    asked, places = await _places(fetch, url)
    for place in places:
        found = await _document(fetch, place, Resource)
        if found is None:
            continue
        if not covers(found.resource, url):
            raise OAuthFailed(f"{_host(url)}: its metadata is about another resource")
        return msgspec.structs.replace(found, asked=asked)
    parts = urlsplit(url)
    return Resource(url, (f"{parts.scheme}://{parts.netloc}",), asked=asked)


async def read_server(fetch: Fetch, issuer: str) -> Server:
    """Raises ``OAuthFailed``, also where it calls itself otherwise (RFC 8414, section 3.3)."""
    for place in _server_places(issuer):
        found = await _document(fetch, place, Server)
        if found is None:
            continue
        if found.issuer != issuer:
            raise OAuthFailed(f"{_host(issuer)}: its metadata has another issuer")
        return found
    raise OAuthFailed(f"{_host(issuer)}: has no authorization server metadata")


def check_browser_may_go(server: Server) -> None:
    """Raises ``OAuthFailed`` where it has no PKCE (OAuth 2.1, section 7.5.2; MCP: MUST refuse), or
    where its authorization endpoint is no safe web address."""
    if "S256" not in server.code_challenge_methods_supported:
        raise OAuthFailed(f"{_host(server.issuer)}: does not support PKCE with S256")
    at, own = urlsplit(server.authorization_endpoint), urlsplit(server.issuer)
    safe = at.scheme == "https" or (at.scheme == own.scheme == "http")
    if not safe or not at.hostname or at.fragment or "@" in at.netloc:
        raise OAuthFailed(f"{_host(server.issuer)}: its authorization endpoint is not a safe URL")


def covers(resource: str, url: str) -> bool:
    """Whether what is said of ``resource`` is said of ``url``: the same, or what is above it."""
    of, at = urlsplit(resource), urlsplit(url)
    if (of.scheme.lower(), of.netloc.lower()) != (at.scheme.lower(), at.netloc.lower()):
        return False
    above, below = of.path.rstrip("/"), at.path.rstrip("/")
    return not of.query and (below == above or below.startswith(f"{above}/"))


async def _places(fetch: Fetch, url: str) -> tuple[tuple[str, ...], list[str]]:
    """The scopes that it asks for, and where its metadata may be, best first."""
    try:
        answer = await fetch("POST", url, _ASKING, _PROBE)
    except FetchFailed as failed:
        raise OAuthFailed(f"the upstream cannot be asked: {failed}") from None
    found = challenge_of(answer.headers.get("www-authenticate", ""))
    parts = urlsplit(url)
    root = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource"
    path = parts.path.rstrip("/")
    named = found.get("resource_metadata", "")
    places = [named, f"{root}{path}" if path else "", root]
    return tuple(found.get("scope", "").split()), [place for place in places if place]


def _server_places(issuer: str) -> Iterator[str]:
    """In the order that MCP prescribes."""
    parts = urlsplit(issuer)
    base, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    yield f"{base}/.well-known/oauth-authorization-server{path}"
    yield f"{base}/.well-known/openid-configuration{path}"
    if path:
        yield f"{base}{path}/.well-known/openid-configuration"


async def _document(fetch: Fetch, place: str, kind: type[T]) -> T | None:
    """None where there is none."""
    try:
        answer = await fetch("GET", place, {"Accept": "application/json"})
    except FetchFailed as failed:
        raise OAuthFailed(str(failed)) from None
    if answer.status != 200:
        return None
    try:
        said: Any = msgspec.json.decode(answer.body)
        return msgspec.convert(said, kind)
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise OAuthFailed(f"{_host(place)}: its metadata is not valid") from None


def _host(url: str) -> str:
    return urlsplit(url).hostname or "an address without a host"
