"""An issuer says that somebody signed out there (OpenID Connect Back-Channel Logout 1.0)."""

from collections.abc import Callable, Collection, Mapping

from lockgate.identity.issuer import Claims, Issuer, first_text, words
from lockgate.identity.jwt import NotAccepted, check_time, read, verify
from lockgate.identity.key_sets import KeySets
from lockgate.model.revocation import Revocation, RevocationKind

LONGEST_TOKEN_MS = 24 * 3_600_000
"""How long what was issued before a logout is remembered: access tokens live no longer."""
MOST_AGE_SECONDS = 300.0
_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_TYPES = ("logout+jwt", "jwt", "")


class LogoutCheck:
    """``issuers``: by their URL, as in force now."""

    def __init__(self, issuers: Callable[[], Mapping[str, Issuer]], keys: KeySets) -> None:
        self._issuers = issuers
        self._keys = keys

    async def check(self, text: str, now_ms: int) -> tuple[Revocation, ...]:
        """The checks of its section 2.6. A replayed token revokes only what it did before.

        Raises ``NotAccepted``, and ``KeysUnknown`` where nobody can say.
        """
        token = read(text)
        if token is None or token.type not in _TYPES:
            raise NotAccepted("it is no logout token")
        said = token.claims.get("iss")
        issuer = self._issuers().get(said) if isinstance(said, str) else None
        if issuer is None:
            raise NotAccepted("its issuer is not one of ours")
        key = await self._keys.find(issuer, token.key_id)
        if key is None:
            raise NotAccepted(f"{issuer.name} has no such key")
        verify(token, key, issuer.algorithms)
        check_time(token.claims, now_ms / 1_000, issuer.leeway_seconds, most_age=MOST_AGE_SECONDS)
        _check_claims(token.claims, issuer.clients.keys() | issuer.audiences)
        return _revocations(token.claims, issuer)


def _check_claims(claims: Claims, ours: Collection[str]) -> None:
    if words(claims, ("aud",)).isdisjoint(ours):
        raise NotAccepted("it is meant for another client")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(_EVENT), dict):
        raise NotAccepted("it is about no logout")
    if "nonce" in claims or not first_text(claims, ("jti",)):
        raise NotAccepted("it is an ID token, or could be one")


def _revocations(claims: Claims, issuer: Issuer) -> tuple[Revocation, ...]:
    """The session's tokens, and the subject's: many access tokens do not say of which session they
    are, so those of the subject's other sessions are refused too, until it signs in again."""
    named: tuple[tuple[RevocationKind, str], ...] = (
        ("session", first_text(claims, ("sid",))),
        ("subject", first_text(claims, issuer.profile.subject)),
    )
    issued = claims["iat"]  # its time has been checked
    before = int(issued) * 1_000 if isinstance(issued, int | float) else 0
    over = before + LONGEST_TOKEN_MS
    found = tuple(Revocation(kind, issuer.url, name, before, over) for kind, name in named if name)
    if not found:
        raise NotAccepted("it says neither who signed out nor where")
    return found
