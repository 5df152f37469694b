"""Asking an issuer about a token that says nothing by itself (RFC 7662)."""

from base64 import b64encode
from urllib.parse import quote, urlencode

from lockgate.identity.access_token import Accepted, accept
from lockgate.identity.issuer import Introspection, Issuer
from lockgate.identity.jwt import NotAccepted, check_time
from lockgate.model import Json
from lockgate.model.fetch import Fetch, FetchFailed
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import Limits, check

KNOWN_SECONDS = 30
"""How long an answer counts. A token that is revoked meanwhile is refused that much later."""
_LIMITS = Limits(bytes=2**16, depth=16)


class Introspector:
    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def ask(self, token: str, issuer: Issuer, now: float) -> Accepted:
        """Raises ``NotAccepted``, and ``FetchFailed`` where nobody can say."""
        place = issuer.introspection
        if place is None:
            raise NotAccepted("it is no JWT, and its issuer is not asked about tokens")
        claims = await self._claims(token, place, opaque=issuer.profile.opaque)
        if claims.get("iss", issuer.url) != issuer.url:
            raise NotAccepted("another issuer made it")
        expires = min(check_time(claims, now, 0), int(now) + KNOWN_SECONDS)
        return accept(claims, issuer, expires)

    async def _claims(self, token: str, place: Introspection, *, opaque: bool) -> dict[str, Json]:
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
