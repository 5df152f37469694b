"""Step 3: evidence to principal. Says who may check which kind of credential, in one place.

A key or a token says who it is, or both do; a proof of possession (RFC 9449) and a certificate (RFC
8705) say that it was sent by its owner. All that is shown must hold, and agree.
"""

import re
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from lockgate.identity.access_token import Accepted
from lockgate.identity.agreement import agreed
from lockgate.identity.api_key import KeyCheck, looks_like_key
from lockgate.identity.bearer_token import TokenCheck
from lockgate.identity.dpop import NonceWanted, ProofCheck
from lockgate.identity.evidence import Evidence
from lockgate.identity.issuer import Issuer
from lockgate.identity.jwt import NotAccepted
from lockgate.identity.later import Later
from lockgate.identity.presented import Presented, PresentedTokens
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.thumbprint import thumbprint
from lockgate.identity.workload import Shown, Workloads, joined
from lockgate.model import Principal, StoreDown

# RFC 9110, 11.1: the scheme is case-insensitive; RFC 6750, 2.1: which characters a token has.
_CREDENTIAL = re.compile(r"(bearer|dpop) +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)


_Prove = Callable[
    [Principal, Evidence, str, str, int], Awaitable[Principal | AuthRefusal]
]  # fmt: skip


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
        self._tokens = tokens
        self._proofs = proofs
        self._issuers = issuers
        self._resources = resources
        self.presented = PresentedTokens()
        self.workloads = Workloads()
        """Whose certificates count. Replaced whole on reload."""

    async def authenticate(self, evidence: Evidence, now_ms: int) -> Principal | AuthRefusal:
        """Who sends this request. A proof it holds is used up."""
        found, token = await self._look(evidence, now_ms, self._proved)
        if token is not None and isinstance(found, Principal):
            self.presented.note(found.holder, token)
        return found

    def forget(self, holder: str) -> None:
        """Hold no token of theirs any more."""
        self.presented.forget(holder)

    def shown_by(self, holder: str, now_ms: int) -> Presented | None:
        """The token that this principal was last let in with, if it would be accepted now."""
        found = self.presented.of(holder, now_ms / 1_000)
        return found if found and self._tokens.stands(found.accepted, now_ms) else None

    async def recheck(
        self, evidence: Evidence, now_ms: int, grace_ms: int = 0
    ) -> Principal | AuthRefusal:
        """Who it is that sent it, if what was accepted then would be accepted now; no second proof
        is asked for. ``grace_ms``: a call that was let in may go on for so long after its token has
        expired; never after it was revoked."""
        return (await self._look(evidence, now_ms, _proved_before, grace_ms))[0]

    def later(
        self, known: Principal, since_ms: int, peer: str, now_ms: int
    ) -> Principal | AuthRefusal:
        """See ``later.Later``."""
        asked = Later(self._keys, self._tokens, self._issuers(), self.workloads)
        return asked.look(known, since_ms, peer, now_ms)

    async def _look(
        self, evidence: Evidence, now_ms: int, prove: _Prove, grace_ms: int = 0
    ) -> tuple[Principal | AuthRefusal, Presented | None]:
        """And the token it was, if that is one that may be exchanged."""
        shown = self.workloads.shown(evidence.certificate, now_ms)
        if isinstance(shown, AuthRefusal):
            return shown, None
        said = _credential(evidence)
        if isinstance(said, AuthRefusal):
            return joined(said, shown), None
        scheme, text = said
        if looks_like_key(text) or not self._issuers():
            return joined(self._key(scheme, text, evidence, now_ms), shown), None
        known = await self._tokens.check(text, now_ms, grace_ms)
        if isinstance(known, AuthRefusal):
            return known, None
        found = self._beside(self._judge(scheme, known, evidence, shown), evidence, now_ms)
        if known.key and isinstance(found, Principal):
            found = await prove(found, evidence, text, known.key, now_ms)
        return joined(found, shown), None if known.bound else Presented(text, known)

    def _key(
        self, scheme: str, text: str, evidence: Evidence, now_ms: int
    ) -> Principal | AuthRefusal:
        if scheme != "bearer":
            return AuthRefusal("auth.malformed", "a key is sent as a Bearer token")
        return self._keys.check(text, evidence.peer, now_ms)

    def _beside(
        self, known: Principal | AuthRefusal, evidence: Evidence, now_ms: int
    ) -> Principal | AuthRefusal:
        """``known``, together with the key that came beside its token, if one did. Before any proof
        is used up, and after all that takes time: what revokes a key counts at once."""
        if not evidence.key or isinstance(known, AuthRefusal):
            return known
        key = self._keys.check(evidence.key[0], evidence.peer, now_ms)
        return key if isinstance(key, AuthRefusal) else agreed(known, key)

    def _judge(
        self, scheme: str, known: Accepted, evidence: Evidence, shown: Shown | None
    ) -> Principal | AuthRefusal:
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
        if known.workload and (shown is None or shown.workload.name != known.workload):
            return AuthRefusal("auth.certificate", f"only {known.workload} may send this token")
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
    if not evidence.authorization and not evidence.key:
        return AuthRefusal("auth.missing")
    if len(evidence.authorization) != 1:
        return AuthRefusal("auth.malformed", "not one Authorization header")
    found = _CREDENTIAL.fullmatch(evidence.authorization[0])
    if found is None:
        return AuthRefusal("auth.malformed", "neither a Bearer nor a DPoP token")
    if evidence.key and (len(evidence.key) > 1 or looks_like_key(found[2])):
        return AuthRefusal("auth.malformed", "more than one key")
    return found[1].lower(), found[2]


def _with(principal: Principal, proof: str) -> Principal:
    return msgspec.structs.replace(principal, authn=principal.authn | {proof})


async def _proved_before(principal: Principal, *_: object) -> Principal:
    return _with(principal, "dpop")
