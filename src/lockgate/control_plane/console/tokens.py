"""What the identity provider signed: ID tokens and logout tokens. Pure: keys and time are given."""

import hmac
from collections.abc import Mapping
from typing import Any

import msgspec
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from lockgate.control_plane.console.failures import SignInFailed

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
)  # fmt: skip
"""Signatures with a private key. What is keyed with a shared secret (HS256) is not among them: the
provider's public key could be taken for that secret (RFC 8725, section 3.1)."""

LEEWAY = 60
"""Seconds that clocks may differ."""
OLDEST = 600
"""Seconds since a token was issued, after which it is not taken any more."""
LONGEST = 255
"""Characters of a ``sub`` (OpenID Connect Core 1.0, section 2)."""
_UNREADABLE = (JoseError, ValueError, TypeError, AttributeError, RecursionError)
"""What joserfc raises for whatever a token may hold."""
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Expected(msgspec.Struct, frozen=True):
    issuer: str
    client: str


class Person(msgspec.Struct, frozen=True):
    """Who signed in."""

    sub: str
    name: str
    sid: str = ""


class Ended(msgspec.Struct, frozen=True):
    """Whose sessions end: of ``sub``, of ``sid``, or of both where both are named."""

    sub: str
    sid: str
    jti: str
    forget: int
    """Seconds since the epoch, after which this token would be refused for its age."""


def kid_of(token: str) -> str:
    """The key it says it was signed with; empty where it does not. Raises ``SignInFailed``."""
    try:
        kid = jws.extract_compact(token.encode()).headers().get("kid", "")
    except _UNREADABLE as error:
        raise SignInFailed("the token cannot be read") from error
    return kid if isinstance(kid, str) else ""


def read_id_token(token: str, keys: KeySet, expected: Expected, nonce: str, now: int) -> Person:
    """OpenID Connect Core 1.0, section 3.1.3.7. ``now``: seconds. Raises ``SignInFailed``."""
    claims = _claims(token, keys, expected, now, types=("", "jwt"))
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and "azp" not in claims:
        raise SignInFailed("the ID token is for several and does not say who asked for it")
    if claims.get("azp", expected.client) != expected.client:
        raise SignInFailed("the ID token was asked for by another client")
    if not hmac.compare_digest(_text(claims, "nonce").encode(), nonce.encode()):
        raise SignInFailed("the ID token answers another sign-in (nonce)")
    sub = _text(claims, "sub")
    if not sub or len(sub) > LONGEST or not sub.isprintable() or " " in sub:
        raise SignInFailed("the ID token names nobody")
    named = (_text(claims, known) for known in ("preferred_username", "email", "name"))
    return Person(sub, next(filter(None, named), sub)[:LONGEST], _text(claims, "sid"))


def read_logout_token(token: str, keys: KeySet, expected: Expected, now: int) -> Ended:
    """OpenID Connect Back-Channel Logout 1.0, section 2.6. Raises ``SignInFailed``."""
    claims = _claims(token, keys, expected, now, types=("", "jwt", "logout+jwt"))
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise SignInFailed("not a logout token: it has no such event")
    if "nonce" in claims:
        raise SignInFailed("not a logout token: it has a nonce")
    ended = Ended(
        _text(claims, "sub"), _text(claims, "sid"), _text(claims, "jti"),
        int(claims["iat"]) + OLDEST + LEEWAY,
    )  # fmt: skip
    if not ended.jti or not (ended.sub or ended.sid):
        raise SignInFailed("the logout token lacks a jti, or does not say whose sessions end")
    return ended


def _claims(
    token: str, keys: KeySet, expected: Expected, now: int, types: tuple[str, ...]
) -> dict[str, Any]:
    """Of a token of this issuer for this client, signed and current."""
    registry = jwt.JWTClaimsRegistry(
        now, LEEWAY,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "value": expected.client},
        exp={"essential": True}, iat={"essential": True},
    )  # fmt: skip
    try:
        found = jwt.decode(token, keys, algorithms=ALGORITHMS)
        registry.validate(found.claims)
    except _UNREADABLE as error:
        raise SignInFailed(f"the token is not good: {type(error).__name__}") from error
    kind = found.header.get("typ", "")
    if not isinstance(kind, str) or kind.lower() not in types:
        raise SignInFailed("the token is of another kind (typ)")
    if found.claims["iat"] < now - OLDEST - LEEWAY:
        raise SignInFailed("the token was issued too long ago")
    return found.claims


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name, "")
    return value if isinstance(value, str) else ""
