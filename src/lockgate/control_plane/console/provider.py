"""The identity provider, as its client sees it: OpenID Connect Core 1.0, code flow with PKCE."""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from lockgate.control_plane.console.failures import SignInFailed
from lockgate.control_plane.console.tokens import (
    Ended,
    Expected,
    Person,
    kid_of,
    read_id_token,
    read_logout_token,
)
from lockgate.model.fetch import Fetch, Fetched, FetchFailed

T = TypeVar("T")

KEPT_MS = 600_000
"""How long the provider's description and keys are used without asking again."""
PAUSE_MS = 30_000
"""After asking for keys: no unknown key makes us ask again before."""
REST_MS = 5_000
"""After the provider failed: until then nobody waits for it again, one behind the other."""
_LOOPBACK = ("127.0.0.1", "[::1]", "::1", "localhost")
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


class Client(msgspec.Struct, frozen=True):
    """What this gateway is at its identity provider."""

    issuer: str
    id: str
    redirect: str
    """Where the provider sends browsers back to."""
    secret: str = ""
    """Empty: a public client, which has only PKCE."""

    def __repr__(self) -> str:
        return f"Client({self.id} at {self.issuer})"


class SignIn(msgspec.Struct, frozen=True):
    """One sign-in under way; only the browser that began it has it, sealed."""

    state: str
    nonce: str
    verifier: str
    """RFC 7636, section 4.1."""
    begun: int


class _Described(msgspec.Struct, frozen=True):
    """Of the provider's metadata (OpenID Connect Discovery 1.0, section 3; RFC 9207, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    authorization_response_iss_parameter_supported: bool = False


class _Answered(msgspec.Struct, frozen=True):
    id_token: str


class Provider:
    def __init__(self, fetch: Fetch, client: Client, now_ms: Callable[[], int]) -> None:
        self._fetch = fetch
        self._client = client
        self._now_ms = now_ms
        self._expected = Expected(client.issuer, client.id)
        self._described: tuple[int, _Described] | None = None
        self._keys: tuple[int, KeySet] | None = None
        self._failed: int | None = None
        """When it last did not give its description or keys."""
        self._turn = asyncio.Lock()

    async def address(self, begun: SignIn) -> str:
        """Where to send the browser. Raises ``SignInFailed``, as all here."""
        asked = {
            "response_type": "code", "client_id": self._client.id, "scope": "openid profile",
            "redirect_uri": self._client.redirect, "state": begun.state, "nonce": begun.nonce,
            "code_challenge": challenge_of(begun.verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        there = (await self._description()).authorization_endpoint
        return f"{there}{'&' if urlsplit(there).query else '?'}{urlencode(asked)}"

    async def person(self, answer: Mapping[str, str], begun: SignIn) -> Person:
        """Who came back. ``answer``: the parameters of the authorization response, whose ``state``
        the caller has compared."""
        described = await self._description()
        issuer = answer.get("iss")
        if issuer is None and described.authorization_response_iss_parameter_supported:
            raise SignInFailed("the answer does not say which issuer it is of (RFC 9207)")
        if issuer is not None and issuer != self._client.issuer:
            raise SignInFailed("the answer is of another issuer (RFC 9207)")
        if "error" in answer:
            raise SignInFailed("the identity provider refused")
        if not answer.get("code"):
            raise SignInFailed("the answer has no code")
        token = await self._redeem(described.token_endpoint, answer["code"], begun.verifier)
        keys, now = await self._keys_for(kid_of(token)), self._now_ms() // 1000
        return read_id_token(token, keys, self._expected, begun.nonce, now)

    async def ended(self, token: str) -> Ended:
        """Whose sessions a logout token ends."""
        keys, now = await self._keys_for(kid_of(token)), self._now_ms() // 1000
        return read_logout_token(token, keys, self._expected, now)

    async def _redeem(self, endpoint: str, code: str, verifier: str) -> str:
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier,
                "redirect_uri": self._client.redirect}  # fmt: skip
        headers = dict(_FORM)
        if self._client.secret:
            headers["authorization"] = f"Basic {_basic(self._client)}"
        else:
            form["client_id"] = self._client.id
        found = await self._ask("POST", endpoint, headers, urlencode(form).encode())
        if found.status != 200:
            raise SignInFailed(f"the token endpoint answered {found.status}")
        return _decoded(found, _Answered).id_token

    async def _description(self) -> _Described:
        async with self._turn:
            kept = self._described
            if kept is None or self._now_ms() - kept[0] >= KEPT_MS:
                with self._resting():
                    kept = (self._now_ms(), await self._describe())
                self._described = kept
            return kept[1]

    async def _describe(self) -> _Described:
        """OpenID Connect Discovery 1.0, section 4; where that is not there, RFC 8414, section 3.
        Either is good only if it says to be of the very issuer it was asked about."""
        issuer = self._client.issuer
        found = await self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.status == 404:
            parts = urlsplit(issuer)
            path = f"/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"
            found = await self._ask("GET", f"{parts.scheme}://{parts.netloc}{path}")
        if found.status != 200:
            raise SignInFailed(f"the issuer's metadata answered {found.status}")
        described = _decoded(found, _Described)
        if described.issuer != issuer:
            raise SignInFailed("the metadata are of another issuer")
        for url in (described.authorization_endpoint, described.token_endpoint, described.jwks_uri):
            if not is_private(url):
                raise SignInFailed("the metadata name an endpoint that is not https://")
        return described

    async def _keys_for(self, kid: str) -> KeySet:
        """With the key of that id, where the provider has it."""
        described = await self._description()
        async with self._turn:
            kept, now = self._keys, self._now_ms()
            if kept is not None:
                known = any(key.kid == kid for key in kept[1])
                if now - kept[0] < (KEPT_MS if known else PAUSE_MS):
                    return kept[1]
            with self._resting():
                found = await self._ask("GET", described.jwks_uri)
                if found.status != 200:
                    raise SignInFailed(f"the issuer's keys answered {found.status}")
                self._keys = (now, _keys_of(found))
            return self._keys[1]

    @contextmanager
    def _resting(self) -> Iterator[None]:
        """Raises ``SignInFailed`` at once where the last one to ask failed a moment ago."""
        if self._failed is not None and 0 <= self._now_ms() - self._failed < REST_MS:
            raise SignInFailed("the identity provider failed a moment ago")
        self._failed = None
        try:
            yield
        except SignInFailed:
            self._failed = self._now_ms()
            raise

    async def _ask(
        self, verb: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b""
    ) -> Fetched:
        try:
            return await self._fetch(verb, url, headers, body)
        except FetchFailed as failure:
            raise SignInFailed(f"the identity provider cannot be asked: {failure}") from failure


def challenge_of(verifier: str) -> str:
    """S256 (RFC 7636, section 4.2)."""
    return (
        base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    )


def is_private(url: str) -> bool:
    """Nobody on the way reads or changes it: TLS, or it never leaves this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    )


def _basic(client: Client) -> str:
    """RFC 6749, section 2.3.1: both parts are form-encoded first."""
    pair = f"{quote_plus(client.id)}:{quote_plus(client.secret)}"
    return base64.b64encode(pair.encode()).decode()


def _decoded(found: Fetched, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(found.body, type=kind)
    except msgspec.MsgspecError as error:
        raise SignInFailed(f"not a {kind.__name__.strip('_').lower()} document") from error


def _keys_of(found: Fetched) -> KeySet:
    try:
        keys = KeySet.import_key_set(msgspec.json.decode(found.body))
    except (JoseError, msgspec.MsgspecError, ValueError, TypeError, LookupError) as error:
        raise SignInFailed("the issuer's keys cannot be read") from error
    return KeySet([key for key in keys if key.key_type in ("RSA", "EC")])
