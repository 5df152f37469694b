"""The identity provider, as its client sees it: OpenID Connect Core 1.0, code flow with PKCE."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec

from lockgate.control_plane.console.failures import SignInFailed
from lockgate.identity.id_token import IdTokenCheck, SignedIn
from lockgate.identity.jwt import NotAccepted
from lockgate.identity.key_sets import KeysUnknown
from lockgate.identity.metadata import Metadata
from lockgate.model.fetch import Fetch, FetchFailed

CLOCKS_MS = 30_000
"""How far the provider's clock may be behind ours."""

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
    onward: str = ""
    """Path and query of ours to go to afterwards; empty: the first page."""
    anew: bool = False
    """The person must prove who they are again (``max_age=0``; OpenID Connect Core, 3.1.2.1)."""


class _Described(msgspec.Struct, frozen=True):
    """Of the provider's metadata (OpenID Connect Discovery 1.0, section 3; RFC 9207, section 3)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    authorization_response_iss_parameter_supported: bool = False


class _Answered(msgspec.Struct, frozen=True):
    id_token: str


class Provider:
    """``check``: of its ID tokens."""

    def __init__(
        self,
        fetch: Fetch,
        client: Client,
        metadata: Metadata,
        check: IdTokenCheck,
        now_ms: Callable[[], int],
    ) -> None:
        self._fetch = fetch
        self._client = client
        self._metadata = metadata
        self._check = check
        self._now_ms = now_ms

    async def address(self, begun: SignIn) -> str:
        """Where to send the browser. Raises ``SignInFailed``, as all here."""
        asked = {
            "response_type": "code", "client_id": self._client.id, "scope": "openid profile",
            "redirect_uri": self._client.redirect, "state": begun.state, "nonce": begun.nonce,
            "code_challenge": challenge_of(begun.verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        if begun.anew:
            asked |= {"max_age": "0", "prompt": "login"}
            strong = " ".join(self._check.strong)
            asked |= {"acr_values": strong} if strong else {}
        there = (await self._description()).authorization_endpoint
        return f"{there}{'&' if urlsplit(there).query else '?'}{urlencode(asked)}"

    async def person(self, answer: Mapping[str, str], begun: SignIn) -> SignedIn:
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
        try:
            found = await self._check.check(token, begun.nonce, self._now_ms())
        except (NotAccepted, KeysUnknown) as why:
            raise SignInFailed(f"the ID token is not good: {why}") from None
        if begun.anew and found.at * 1_000 < begun.begun - CLOCKS_MS:
            raise SignInFailed("the person did not sign in anew (auth_time)")
        if begun.anew and not found.strong:
            raise SignInFailed("the person did not sign in with more than one factor (acr)")
        return found

    async def _redeem(self, endpoint: str, code: str, verifier: str) -> str:
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier,
                "redirect_uri": self._client.redirect}  # fmt: skip
        headers = dict(_FORM)
        if self._client.secret:
            headers["authorization"] = f"Basic {_basic(self._client)}"
        else:
            form["client_id"] = self._client.id
        try:
            found = await self._fetch("POST", endpoint, headers, urlencode(form).encode())
        except FetchFailed as failure:
            raise _unreachable(failure) from failure
        if found.status != 200:
            raise SignInFailed(f"the token endpoint answered {found.status}")
        try:
            return msgspec.json.decode(found.body, type=_Answered).id_token
        except msgspec.MsgspecError as error:
            raise SignInFailed("the token endpoint answered without an ID token") from error

    async def _description(self) -> _Described:
        try:
            said = await self._metadata.document(self._client.issuer)
            described = msgspec.convert(said, _Described)
        except FetchFailed as failure:
            raise _unreachable(failure) from failure
        except msgspec.ValidationError as error:
            raise SignInFailed("the issuer's metadata lack an endpoint") from error
        for url in (described.authorization_endpoint, described.token_endpoint, described.jwks_uri):
            if not is_private(url):
                raise SignInFailed("the metadata name an endpoint that is not https://")
        return described


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


def _unreachable(failure: FetchFailed) -> SignInFailed:
    return SignInFailed(f"the identity provider cannot be asked: {failure}")
