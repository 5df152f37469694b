"""Somebody signed in in a browser: what an ID token says (OpenID Connect Core 1.0, section 2)."""

import hmac
from collections.abc import Callable

import msgspec

from lockgate.identity.issuer import Claims, Issuer, claim, first_text
from lockgate.identity.jwt import NotAccepted, check_time, read
from lockgate.identity.key_sets import KeySets

MOST_AGE_SECONDS = 600.0
"""A sign-in takes no longer."""
LONGEST = 255
"""Characters of a ``sub`` (section 2)."""
_TYPES = ("", "jwt")


class SignedIn(msgspec.Struct, frozen=True):
    """Who it was."""

    sub: str
    name: str
    """As they are to be shown."""
    session: str
    """``sid`` (OpenID Connect Back-Channel Logout 1.0, section 2.1); empty where there is none."""
    subject: str
    """As policy names the person, by the access tokens of the same issuer."""
    at: int = 0
    """When they proved who they are (``auth_time``): seconds since the Unix epoch; 0 where the
    provider does not say."""
    strong: bool = False
    """Whether by more than one factor, as the issuer's ``mfa`` says; true where it says nothing of
    that."""


class IdTokenCheck:
    """``issuer``: as in force now; ``client``: what this gateway is called there."""

    def __init__(self, issuer: Callable[[], Issuer], client: str, keys: KeySets) -> None:
        self._issuer = issuer
        self._client = client
        self._keys = keys

    @property
    def strong(self) -> tuple[str, ...]:
        """Values of ``acr`` that the issuer gives for more than one factor."""
        return tuple(sorted(self._issuer().mfa))

    async def check(self, text: str, nonce: str, now_ms: int) -> SignedIn:
        """The checks of section 3.1.3.7. ``nonce``: of this sign-in.

        Raises ``NotAccepted``, and ``KeysUnknown`` where nobody can say.
        """
        issuer = self._issuer()
        token = read(text)
        if token is None or token.type not in _TYPES:
            raise NotAccepted("it is no ID token: of another kind (typ), or no JWT")
        if token.claims.get("iss") != issuer.url:
            raise NotAccepted("it is of another issuer")
        await self._keys.verify(token, issuer)
        if "exp" not in token.claims:
            raise NotAccepted("it never expires")
        now = now_ms / 1_000
        check_time(token.claims, now, issuer.leeway_seconds, most_age=MOST_AGE_SECONDS)
        _check_client(token.claims, self._client)
        if not hmac.compare_digest(first_text(token.claims, ("nonce",)).encode(), nonce.encode()):
            raise NotAccepted("it answers another sign-in (nonce)")
        return _signed_in(token.claims, issuer)


def _check_client(claims: Claims, client: str) -> None:
    audience = claims.get("aud")
    several = audience if isinstance(audience, list) else [audience]
    if client not in several:
        raise NotAccepted("it is meant for another client")
    if len(several) > 1 and "azp" not in claims:
        raise NotAccepted("it is for several and does not say who asked for it")
    if claims.get("azp", client) != client:
        raise NotAccepted("it was asked for by another client")


def _signed_in(claims: Claims, issuer: Issuer) -> SignedIn:
    sub = _named(first_text(claims, ("sub",)))
    shown = first_text(claims, ("preferred_username", "email", "name")) or sub
    known = _named(first_text(claims, issuer.profile.subject) or sub)
    session = first_text(claims, ("sid",))
    said = claim(claims, "auth_time")
    at = int(said) if isinstance(said, int | float) else 0
    strong = not issuer.mfa or first_text(claims, ("acr",)) in issuer.mfa
    return SignedIn(sub, shown[:LONGEST], session, f"{issuer.namespace}{known}", at, strong)


def _named(text: str) -> str:
    if not text or len(text) > LONGEST or not text.isprintable() or " " in text:
        raise NotAccepted("it names nobody")
    return text
