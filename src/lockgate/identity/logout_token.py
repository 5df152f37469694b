"""An issuer says that somebody signed out there (OpenID Connect Back-Channel Logout 1.0)."""

from collections.abc import Callable, Collection, Mapping

import msgspec

from lockgate.identity.issuer import Claims, Issuer, first_text, words
from lockgate.identity.jwt import NotAccepted, check_time, read
from lockgate.identity.key_sets import KeySets
from lockgate.model.revocation import Revocation, RevocationKind

LONGEST_TOKEN_MS = 24 * 3_600_000
"""How long what was issued before a logout is remembered: access tokens live no longer."""
MOST_AGE_SECONDS = 300.0
EVENT = "http://schemas.openid.net/event/backchannel-logout"
_TYPES = ("logout+jwt", "jwt", "")


class LoggedOut(msgspec.Struct, frozen=True):
    """Who signed out, and where: of ``sub``, of ``session``, or of both where both are named."""

    issuer: Issuer
    sub: str
    subject: str
    """As the issuer's access tokens name the same person."""
    session: str
    """``sid``."""
    token_id: str
    issued: int
    """Milliseconds since the Unix epoch, as ``forget``."""
    forget: int
    """Then this token would be refused for its age."""

    def revocations(self) -> tuple[Revocation, ...]:
        """The session's tokens, and the subject's: many access tokens do not say of which session
        they are, so those of the subject's other sessions are refused too, until it signs in
        again."""
        named: tuple[tuple[RevocationKind, str], ...] = (
            ("session", self.session), ("subject", self.subject),
        )  # fmt: skip
        over = self.issued + LONGEST_TOKEN_MS
        url = self.issuer.url
        return tuple(Revocation(kind, url, name, self.issued, over) for kind, name in named if name)


class LogoutCheck:
    """``issuers``: by their URL, as in force now."""

    def __init__(self, issuers: Callable[[], Mapping[str, Issuer]], keys: KeySets) -> None:
        self._issuers = issuers
        self._keys = keys

    async def check(self, text: str, now_ms: int) -> LoggedOut:
        """The checks of its section 2.6, but for whether the token was here before.

        Raises ``NotAccepted``, and ``KeysUnknown`` where nobody can say.
        """
        token = read(text)
        if token is None or token.type not in _TYPES:
            raise NotAccepted("it is no logout token")
        said = token.claims.get("iss")
        issuer = self._issuers().get(said) if isinstance(said, str) else None
        if issuer is None:
            raise NotAccepted("its issuer is not one of ours")
        await self._keys.verify(token, issuer)
        if "exp" not in token.claims:
            raise NotAccepted("it never expires")
        leeway = issuer.leeway_seconds
        over = check_time(token.claims, now_ms / 1_000, leeway, most_age=MOST_AGE_SECONDS)
        _check_claims(token.claims, issuer.clients.keys() | issuer.audiences)
        return _logged_out(token.claims, issuer, (over + leeway + 1) * 1_000)


def _check_claims(claims: Claims, ours: Collection[str]) -> None:
    if words(claims, ("aud",)).isdisjoint(ours):
        raise NotAccepted("it is meant for another client")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise NotAccepted("it is about no logout")
    if "nonce" in claims or not first_text(claims, ("jti",)):
        raise NotAccepted("it is an ID token, or could be one")


def _logged_out(claims: Claims, issuer: Issuer, forget: int) -> LoggedOut:
    issued = claims["iat"]  # its time has been checked
    found = LoggedOut(
        issuer=issuer,
        sub=first_text(claims, ("sub",)),
        subject=first_text(claims, issuer.profile.subject),
        session=first_text(claims, ("sid",)),
        token_id=first_text(claims, ("jti",)),
        issued=int(issued) * 1_000 if isinstance(issued, int | float) else 0,
        forget=forget,
    )
    if not (found.sub or found.subject or found.session):
        raise NotAccepted("it says neither who signed out nor where")
    return found
