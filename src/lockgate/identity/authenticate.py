"""Step 3: evidence to principal. Says who may check which kind of credential, in one place."""

import re

from lockgate.identity.api_key import KeyCheck
from lockgate.identity.evidence import Evidence
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.workload import Workloads, joined
from lockgate.model import Principal

# RFC 9110, 11.1: the scheme is case-insensitive; RFC 6750, 2.1: which characters a token has.
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)


class Authenticator:
    """Not for several threads."""

    def __init__(self, keys: KeyCheck) -> None:
        self._keys = keys
        self.workloads = Workloads()
        """Whose certificates count. Replaced whole on reload."""

    async def authenticate(self, evidence: Evidence, now_ms: int) -> Principal | AuthRefusal:
        """Who sends this request."""
        return self.recheck(evidence, now_ms)

    def recheck(self, evidence: Evidence, now_ms: int) -> Principal | AuthRefusal:
        """Who it is that sent it, if what was accepted then would be accepted now. Does no I/O."""
        shown = self.workloads.shown(evidence.certificate, now_ms)
        if isinstance(shown, AuthRefusal):
            return shown
        return joined(self._by_token(evidence, now_ms), shown)

    def _by_token(self, evidence: Evidence, now_ms: int) -> Principal | AuthRefusal:
        if not evidence.authorization:
            return AuthRefusal("auth.missing")
        if len(evidence.authorization) > 1:
            return AuthRefusal("auth.malformed", "more than one Authorization header")
        bearer = _BEARER.fullmatch(evidence.authorization[0])
        if bearer is None:
            return AuthRefusal("auth.malformed", "not a Bearer token")
        return self._keys.check(bearer[1], now_ms)
