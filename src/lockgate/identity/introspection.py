"""Asking an issuer about a token that says nothing by itself (RFC 7662)."""

import asyncio
import hashlib
from base64 import b64encode
from urllib.parse import quote, urlencode

from lockgate.identity.access_token import Accepted, accept
from lockgate.identity.issuer import Claims, Introspection, Issuer, first_text
from lockgate.identity.jwt import NotAccepted, check_time
from lockgate.model import Json
from lockgate.model.fetch import Fetch, FetchFailed
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import Limits, check

KNOWN_SECONDS = 30
"""How long an answer counts. A token that is revoked meanwhile is refused that much later."""
REFUSED_SECONDS = 10.0
"""How long a token that the issuer refused is not asked about again."""
REMEMBER = 1_024
AT_ONCE = 8
"""Questions at the same time: nobody can make us flood the issuer."""
_LIMITS = Limits(bytes=2**16, depth=16)


class Introspector:
    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._room = asyncio.Semaphore(AT_ONCE)
        self._refused: dict[bytes, float] = {}
        """When each token that was refused lately was, by its SHA-256."""

    async def ask(self, token: str, issuer: Issuer, now: float) -> Accepted:
        """Raises ``NotAccepted``, and ``FetchFailed`` where nobody can say."""
        place = issuer.introspection
        if place is None:
            raise NotAccepted("it is no JWT, and its issuer is not asked about tokens")
        mark = hashlib.sha256(token.encode()).digest()
        if now - self._refused.get(mark, 0.0) < REFUSED_SECONDS:
            raise NotAccepted("its issuer did not know it a moment ago")
        try:
            async with self._room:
                return self._accepted(await self._claims(token, place, issuer), issuer, now)
        except NotAccepted:
            self._remember(mark, now)
            raise

    def _remember(self, mark: bytes, now: float) -> None:
        self._refused.pop(mark, None)
        if len(self._refused) >= REMEMBER:
            del self._refused[next(iter(self._refused))]
        self._refused[mark] = now

    def _accepted(self, claims: Claims, issuer: Issuer, now: float) -> Accepted:
        if claims.get("iss", issuer.url) != issuer.url:
            raise NotAccepted("another issuer made it")
        if "refresh" in first_text(claims, ("token_use", "token_type", "typ")).lower():
            raise NotAccepted("it is a refresh token")
        expires = min(check_time(claims, now, 0), int(now) + KNOWN_SECONDS)
        return accept(claims, issuer, expires)

    async def _claims(self, token: str, place: Introspection, issuer: Issuer) -> Claims:
        opaque = issuer.profile.opaque
        # Google's tokeninfo is older than RFC 7662: it knows no `active`, but says 400 instead.
        hinted = {"token": token, "token_type_hint": "access_token"}
        form = {"access_token": token} if opaque else hinted
        answer = await self._fetch("POST", place.url, _headers(place), urlencode(form).encode())
        if opaque and answer.status == 400:
            raise NotAccepted("its issuer does not know it")
        if answer.status != 200:
            raise FetchFailed(f"introspection was answered with HTTP status {answer.status}")
        try:
            found = check(answer.body, _LIMITS)
        except WireRefusal as refused:
            why = f"introspection was answered with no JSON: {refused.reason}"
            raise FetchFailed(why) from None
        if not isinstance(found, dict):
            raise FetchFailed("introspection was not answered with an object")
        if opaque:
            return _as_claims(found)
        if found.get("active") is not True:
            raise NotAccepted("its issuer says that it is not active")
        return found


def _headers(place: Introspection) -> dict[str, str]:
    found = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    if place.client:  # RFC 6749, 2.3.1
        pair = f"{quote(place.client, safe='')}:{quote(place.secret, safe='')}"
        found["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return found


def _as_claims(said: dict[str, Json]) -> dict[str, Json]:
    """Google writes numbers as text."""
    times = {
        name: int(value)
        for name in ("exp", "iat")
        if isinstance(value := said.get(name), str) and value.isdecimal()
    }
    return {**said, **times}
