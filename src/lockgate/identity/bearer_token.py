"""OAuth access tokens: verified once, then held until something could have changed."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Protocol

from lockgate.identity.access_token import Accepted, accept, check_kind
from lockgate.identity.introspection import Introspector
from lockgate.identity.issuer import Issuer
from lockgate.identity.jwt import LONGEST, NotAccepted, check_time, read
from lockgate.identity.key_sets import KeySets, KeysUnknown
from lockgate.identity.refusal import AuthRefusal
from lockgate.model.fetch import FetchFailed

REMEMBER = 4_096
"""Accepted tokens held, by their SHA-256."""


class Revocations(Protocol):
    """Tokens and subjects that count no more, known in every worker within two seconds."""

    def fresh(self, now_ms: int) -> bool:
        """False when some may have been missed."""
        ...

    @property
    def version(self) -> int:
        """Changes whenever something was revoked."""
        ...

    def revoked(self, token: Accepted) -> bool: ...


class TokenCheck:
    """Not for several threads. ``issuers``: by their URL, as in force now."""

    def __init__(
        self,
        issuers: Callable[[], Mapping[str, Issuer]],
        keys: KeySets,
        introspector: Introspector,
        revocations: Revocations,
    ) -> None:
        self._issuers = issuers
        self._keys = keys
        self._introspector = introspector
        self._revocations = revocations
        self._known: dict[bytes, Accepted] = {}
        self._version = -1
        self._of: Mapping[str, Issuer] | None = None
        """What ``_known`` was made under: version of the revocations, and issuers."""

    async def check(self, token: str, now_ms: int, grace_ms: int = 0) -> Accepted | AuthRefusal:
        """Whose token it is. Whether it is meant for us, and sent by its owner, is asked after.
        ``grace_ms``: one that was accepted before may have expired so long ago."""
        if not self._revocations.fresh(now_ms):
            return AuthRefusal("auth.unknown", "revocations were not read lately")
        self._catch_up()
        mark = hashlib.sha256(token.encode()).digest()
        found = self._known.get(mark)
        if found is not None and now_ms < found.expires * 1_000 + grace_ms:
            return found
        version, issuers = self._version, self._of
        try:
            accepted = await self._verify(token, now_ms / 1_000)
        except NotAccepted as why:
            return AuthRefusal("auth.invalid", str(why))
        except (KeysUnknown, FetchFailed) as why:
            return AuthRefusal("auth.unknown", str(why))
        if self._revocations.revoked(accepted):
            return AuthRefusal("auth.invalid", f"token {accepted.principal.credential} was revoked")
        if self._revocations.version == version and self._issuers() is issuers:  # all this while
            self._remember(mark, accepted)
        return accepted

    def fresh(self, now_ms: int) -> bool:
        """False when a revocation may have been missed."""
        return self._revocations.fresh(now_ms)

    def stands(self, accepted: Accepted, now_ms: int) -> bool:
        """It was not revoked since, as far as anybody can say."""
        fresh = self._revocations.fresh(now_ms)
        return fresh and not self._revocations.revoked(accepted)

    def _catch_up(self) -> None:
        """Forget what was revoked since, or all where the issuers are not the same."""
        version, issuers = self._revocations.version, self._issuers()
        if version == self._version and issuers is self._of:
            return
        same = issuers is self._of
        self._known = {
            mark: one for mark, one in self._known.items()
            if same and not self._revocations.revoked(one)
        }  # fmt: skip
        self._version, self._of = version, issuers

    def _remember(self, mark: bytes, accepted: Accepted) -> None:
        self._known.pop(mark, None)
        if len(self._known) >= REMEMBER:
            self._known.pop(next(iter(self._known)))
        self._known[mark] = accepted

    async def _verify(self, text: str, now: float) -> Accepted:
        if len(text) > LONGEST:
            raise NotAccepted(f"it is longer than {LONGEST} characters")
        token = read(text)
        if token is None:
            return await self._introspector.ask(text, self._asked_about(), now)
        said = token.claims.get("iss")
        issuer = self._issuers().get(said) if isinstance(said, str) else None
        if issuer is None:
            raise NotAccepted("its issuer is not one of ours")
        check_kind(token, issuer)
        await self._keys.verify(token, issuer)
        expires = check_time(token.claims, now, issuer.leeway_seconds) + issuer.leeway_seconds
        return accept(token.claims, issuer, expires)

    def _asked_about(self) -> Issuer:
        """Settings see to it that there is at most one: a token must not be shown to a stranger."""
        for issuer in self._issuers().values():
            if issuer.introspection is not None:
                return issuer
        raise NotAccepted("it is neither a key of this gateway nor a JWT")
