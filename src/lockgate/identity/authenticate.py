"""Step 3: evidence to principal. Says who may check which kind of credential, in one place.

A key or a token says who it is; a proof of possession (RFC 9449) and a certificate (RFC 8705) say
that it was sent by its owner. All that is shown must hold, and agree.
"""

import re
from collections.abc import Callable, Mapping

import msgspec

from lockgate.identity.access_token import Accepted
from lockgate.identity.api_key import KeyCheck, looks_like_key
from lockgate.identity.bearer_token import TokenCheck
from lockgate.identity.dpop import NonceWanted, ProofCheck
from lockgate.identity.evidence import Evidence
from lockgate.identity.issuer import Issuer
from lockgate.identity.jwt import NotAccepted
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.thumbprint import thumbprint
from lockgate.identity.workload import Shown, Workloads, joined
from lockgate.model import Principal, StoreDown

# RFC 9110, 11.1: the scheme is case-insensitive; RFC 6750, 2.1: which characters a token has.
_CREDENTIAL = re.compile(r"(bearer|dpop) +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)


class Authenticator:
    """Not for several threads. ``resources``: what a token may be meant for, sent to this URL."""

    def __init__(
        self,
        keys: KeyCheck,
        tokens: TokenCheck,
        proofs: ProofCheck,
        issuers: Callable[[], Mapping[str, Issuer]],
        resources: Callable[[str], frozenset[str]],
    ) -> None:
        self._keys = keys
        self.workloads = Workloads()
        """Whose certificates count. Replaced whole on reload."""
        self._tokens = tokens
        self._proofs = proofs
        self._issuers = issuers
        self._resources = resources

    async def authenticate(self, evidence: Evidence, now_ms: int) -> Principal | AuthRefusal:
        """Who sends this request. A proof it holds is used up."""
        shown = self.workloads.shown(evidence.certificate, now_ms)
        if isinstance(shown, AuthRefusal):
            return shown
        return joined(await self._authenticate(evidence, now_ms), shown)

    async def _authenticate(self, evidence: Evidence, now_ms: int) -> Principal | AuthRefusal:
        said = _credential(evidence)
        if isinstance(said, AuthRefusal):
            return said
        found, key = await self._identify(*said, evidence, now_ms)
        if isinstance(found, AuthRefusal) or not key:
            return found
        return await self._proved(found, evidence, said[1], key, now_ms)

    async def recheck(
        self, evidence: Evidence, now_ms: int, grace_ms: int = 0
    ) -> Principal | AuthRefusal:
        """Who it is that sent it, if what was accepted then would be accepted now; no second proof
        is asked for. ``grace_ms``: a call that was let in may go on for so long after its token has
        expired; never after it was revoked."""
        shown = self.workloads.shown(evidence.certificate, now_ms)
        if isinstance(shown, AuthRefusal):
            return shown
        return joined(await self._recheck(evidence, now_ms, grace_ms), shown)

    async def _recheck(
        self, evidence: Evidence, now_ms: int, grace_ms: int
    ) -> Principal | AuthRefusal:
        said = _credential(evidence)
        if isinstance(said, AuthRefusal):
            return said
        found, key = await self._identify(*said, evidence, now_ms, grace_ms)
        return _with(found, "dpop") if key and isinstance(found, Principal) else found

    async def _identify(
        self, scheme: str, text: str, evidence: Evidence, now_ms: int, grace_ms: int = 0
    ) -> tuple[Principal | AuthRefusal, str]:
        """And the thumbprint of the key that it must be proved to hold, if there must be one."""
        if looks_like_key(text) or not self._issuers():
            return self._key(scheme, text, evidence, now_ms), ""
        known = await self._tokens.check(text, now_ms, grace_ms)
        if isinstance(known, AuthRefusal):
            return known, ""
        if known.workload and known.workload != self._workload(evidence, now_ms):
            return AuthRefusal("auth.certificate", "the token is another workload's"), ""
        return self._judge(scheme, known, evidence), known.key

    def _workload(self, evidence: Evidence, now_ms: int) -> str:
        """Name of the one that sent it, by its certificate."""
        shown = self.workloads.shown(evidence.certificate, now_ms)
        return shown.workload.name if isinstance(shown, Shown) else ""

    def _key(
        self, scheme: str, text: str, evidence: Evidence, now_ms: int
    ) -> Principal | AuthRefusal:
        if scheme != "bearer":
            return AuthRefusal("auth.malformed", "a key is sent as a Bearer token")
        return self._keys.check(text, evidence.peer, now_ms)

    def _judge(self, scheme: str, known: Accepted, evidence: Evidence) -> Principal | AuthRefusal:
        """Whether a token that is good is meant for us, and sent as it must be."""
        issuer = self._issuers().get(known.issuer)
        if issuer is None:
            return AuthRefusal("auth.invalid", "its issuer is not one of ours any more")
        if not known.audiences & (self._resources(evidence.url) | issuer.audiences):
            return AuthRefusal("auth.invalid", "the token is meant for another resource")
        if (scheme == "dpop") != bool(known.key):  # RFC 9449, 7.1 and 7.2
            return AuthRefusal("auth.invalid", "the token is bound to a key, or it is not")
        if known.certificate and known.certificate != thumbprint(evidence.certificate):
            return AuthRefusal("auth.invalid", "the token is bound to another certificate")
        missing = issuer.scopes - known.principal.scopes
        if missing:
            return AuthRefusal("auth.scope", f"without {' '.join(sorted(missing))}")
        return known.principal

    async def _proved(
        self, principal: Principal, evidence: Evidence, token: str, key: str, now_ms: int
    ) -> Principal | AuthRefusal:
        try:
            await self._proofs.check(evidence, token, key, now_ms)
        except NonceWanted as why:
            return AuthRefusal("auth.nonce", str(why))
        except NotAccepted as why:
            return AuthRefusal("auth.proof", str(why))
        except StoreDown as down:
            return AuthRefusal("auth.unknown", str(down))
        return _with(principal, "dpop")


def _credential(evidence: Evidence) -> tuple[str, str] | AuthRefusal:
    if not evidence.authorization:
        return AuthRefusal("auth.missing")
    if len(evidence.authorization) > 1:
        return AuthRefusal("auth.malformed", "more than one Authorization header")
    found = _CREDENTIAL.fullmatch(evidence.authorization[0])
    if found is None:
        return AuthRefusal("auth.malformed", "neither a Bearer nor a DPoP token")
    return found[1].lower(), found[2]


def _with(principal: Principal, proof: str) -> Principal:
    return msgspec.structs.replace(principal, authn=principal.authn | {proof})
