"""Asking a token endpoint (RFC 6749, section 3.2), and proving who asks."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec

from lockgate.model.fetch import Fetch, Fetched, FetchFailed
from lockgate.upstream.oauth_metadata import OAuthFailed, Server
from lockgate.upstream.rfc7523_assertion import ASSERTION_TYPE, assertion

ClientAuth = Literal["", "none", "client_secret_basic", "client_secret_post", "private_key_jwt"]

UNSTATED_SECONDS = 300
"""How long a token is used of which nobody said how long it is good."""
_CODES = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
     "unsupported_grant_type", "invalid_scope", "invalid_target", "access_denied"}
)  # fmt: skip
"""Only these are repeated: what another server wrote stays out of logs."""


class OAuthClient(msgspec.Struct, frozen=True):
    """Us, as one authorization server knows us."""

    id: str
    secret: str = ""
    key: str = ""
    """Private key, PEM or JWK, for ``private_key_jwt`` (RFC 7523)."""
    auth: ClientAuth = ""
    """Empty: the best that both can."""

    def __repr__(self) -> str:
        return f"OAuthClient({self.id!r}, auth={self.auth!r})"


class Token(msgspec.Struct, frozen=True):
    access: str
    expires: int
    """Seconds since the Unix epoch."""
    refresh: str = ""
    scope: str = ""
    issued_type: str = ""

    def __repr__(self) -> str:
        return f"Token(expires={self.expires!r})"


class Clock(msgspec.Struct, frozen=True):
    """What is new with every request."""

    now: Callable[[], int]
    """Seconds since the Unix epoch."""
    nonce: Callable[[], str]
    """A random text that was never given before."""


class TokenEndpoint(msgspec.Struct, frozen=True):
    """One client at one authorization server."""

    fetch: Fetch
    server: Server
    client: OAuthClient
    clock: Clock

    async def ask(self, grant: str, form: Mapping[str, str | Sequence[str]]) -> Token:
        """Raises ``OAuthFailed``. Sent once, never again."""
        sent = {"grant_type": grant, **form}
        return self._read(await self._send(self.server.token_endpoint, sent))

    async def revoke(self, token: str, kind: Literal["refresh_token", "access_token"]) -> None:
        """At the revocation endpoint beside it (RFC 7009, section 2.1). What the server does not
        know, or has ended already, is no failure (section 2.2). Raises ``OAuthFailed``."""
        place = self.server.revocation_endpoint
        answer = await self._send(place, {"token": token, "token_type_hint": kind})
        if answer.status != 200:
            raise _failed(place, answer)

    async def _send(self, place: str, form: Mapping[str, str | Sequence[str]]) -> Fetched:
        sent, headers = self._proved(form)
        headers |= {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        try:
            return await self.fetch("POST", place, headers, urlencode(sent, doseq=True).encode())
        except FetchFailed as failed:
            raise OAuthFailed(f"the token endpoint cannot be asked: {failed}") from None

    def _proved(
        self, form: Mapping[str, str | Sequence[str]]
    ) -> tuple[dict[str, str | Sequence[str]], dict[str, str]]:
        client, sent = self.client, dict(form)
        match self._method():
            case "client_secret_basic":  # RFC 6749, section 2.3.1: form-encoded first
                said = f"{quote_plus(client.id)}:{quote_plus(client.secret)}"
                return sent, {"Authorization": f"Basic {b64encode(said.encode()).decode()}"}
            case "client_secret_post":
                sent |= {"client_id": client.id, "client_secret": client.secret}
            case "private_key_jwt":
                sent |= {
                    "client_id": client.id,
                    "client_assertion_type": ASSERTION_TYPE,
                    "client_assertion": self._assertion(),
                }
            case _:
                sent |= {"client_id": client.id}
        return sent, {}

    def _assertion(self) -> str:
        now, nonce = self.clock.now(), self.clock.nonce()
        return assertion(self.client.key, self.client.id, self.server.issuer, now, nonce)

    def _method(self) -> ClientAuth:
        client, theirs = self.client, self.server.token_endpoint_auth_methods_supported
        if client.auth:
            return client.auth
        if client.key:
            return "private_key_jwt"
        if not client.secret:
            return "none"
        basic = "client_secret_basic" in theirs or "client_secret_post" not in theirs
        return "client_secret_basic" if basic else "client_secret_post"

    def _read(self, answer: Fetched) -> Token:
        host = urlsplit(self.server.token_endpoint).hostname
        if answer.status != 200:
            raise _failed(self.server.token_endpoint, answer)
        said = _object(answer.body)
        access, kind = said.get("access_token"), said.get("token_type")
        issued = _text(said, "issued_token_type")
        plain = isinstance(kind, str) and kind.lower() in ("bearer", "n_a")
        if not isinstance(access, str) or not _is_sendable(access) or not plain:
            raise OAuthFailed(f"{host}: its answer holds no bearer token")
        expires = self.clock.now() + _seconds(said.get("expires_in"))
        return Token(access, expires, _text(said, "refresh_token"), _text(said, "scope"), issued)


def _failed(place: str, answer: Fetched) -> OAuthFailed:
    error = _object(answer.body).get("error")
    code = error if isinstance(error, str) and error in _CODES else ""
    return OAuthFailed(f"{urlsplit(place).hostname}: HTTP {answer.status} {code}".rstrip(), code)


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""


def _seconds(value: Any) -> int:
    """Some servers write the number as a text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:9])
    good = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    return min(int(value), 10**9) if good else UNSTATED_SECONDS


def _is_sendable(token: str) -> bool:
    """RFC 6750, section 2.1: it goes into a header."""
    return bool(token) and token.isascii() and token.isprintable() and " " not in token
