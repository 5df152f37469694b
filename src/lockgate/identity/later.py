"""Whether somebody who was let in a while ago still counts, without what they showed then.

For what goes on after its client has left: a call that waited for a person's yes. The rule is that
of a call that runs: a key that was revoked, has expired or is used from elsewhere, and a token that
was revoked or logged out, count no more. That a token has expired since does not matter: it was
good when it was shown, and how long its call may wait is the approval's to say.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from lockgate.identity.access_token import Accepted
from lockgate.identity.issuer import Issuer
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.workload import Workloads
from lockgate.model import Principal

_SLACK_MS = 2_000
"""How late a revocation may have been seen when the token was shown."""


class Keys(Protocol):
    """``api_key.KeyCheck``."""

    def later(self, key_id: str, peer: str, now_ms: int) -> Principal | AuthRefusal: ...


class Tokens(Protocol):
    """``bearer_token.TokenCheck``."""

    def fresh(self, now_ms: int) -> bool: ...

    def stands(self, accepted: Accepted, now_ms: int) -> bool: ...


class Later(msgspec.Struct, frozen=True):
    keys: Keys
    tokens: Tokens
    issuers: Mapping[str, Issuer]
    """By their URL."""
    workloads: Workloads

    def look(
        self, known: Principal, since_ms: int, peer: str, now_ms: int
    ) -> Principal | AuthRefusal:
        """``known``: as they were let in at ``since_ms``, from ``peer``. As they are known now:
        roles and scopes of a key are its present ones."""
        found: Principal | AuthRefusal = known
        key, _, token = known.credential.rpartition(" ")
        if "oauth" in known.authn:
            found = self._by_token(known, token, since_ms, now_ms)
        if "api_key" in known.authn and isinstance(found, Principal):
            found = self._by_key(found, key or token, peer, now_ms)
        if known.workload and isinstance(found, Principal):
            found = self._by_workload(found)
        if not known.authn & {"oauth", "api_key", "mtls"}:
            return AuthRefusal("auth.invalid", "nobody can say how they were let in")
        return found

    def _by_token(
        self, known: Principal, credential: str, since_ms: int, now_ms: int
    ) -> Principal | AuthRefusal:
        if not self.tokens.fresh(now_ms):
            return AuthRefusal("auth.unknown", "revocations were not read lately")
        name, _, token_id = credential.partition(":")
        issuer = next((one for one in self.issuers.values() if one.name == name), None)
        if issuer is None or not known.subject.startswith(issuer.namespace):
            return AuthRefusal("auth.invalid", "its issuer is not one of ours any more")
        shown = Accepted(
            principal=known, issuer=issuer.url, subject=known.subject[len(issuer.namespace) :],
            audiences=frozenset(), expires=0, issued=(since_ms - _SLACK_MS) // 1_000,
            token_id=token_id, session=known.login,
        )  # fmt: skip
        if not self.tokens.stands(shown, now_ms):
            return AuthRefusal("auth.invalid", f"token {credential} was revoked since")
        return known

    def _by_key(
        self, known: Principal, key_id: str, peer: str, now_ms: int
    ) -> Principal | AuthRefusal:
        now = self.keys.later(key_id, peer, now_ms)
        if isinstance(now, AuthRefusal):
            return now
        if (now.kind, now.subject, now.owner) != (known.kind, known.subject, known.owner):
            return AuthRefusal("auth.invalid", f"key {key_id} is somebody else's now")
        beside = "oauth" in known.authn
        return msgspec.structs.replace(
            known,
            roles=known.roles & now.roles if beside else now.roles,
            scopes=known.scopes if beside else now.scopes,
        )

    def _by_workload(self, known: Principal) -> Principal | AuthRefusal:
        """That its certificate was revoked since is not seen: it is not here to be looked at."""
        workload = self.workloads.later(known.workload)
        if workload is None:
            return AuthRefusal("auth.certificate", f"{known.workload} is registered no more")
        alone = not known.authn & {"oauth", "api_key"}
        if alone and (workload.kind, workload.name) != (known.kind, known.subject):
            return AuthRefusal("auth.certificate", f"{known.workload} is another one now")
        if not alone:
            return known
        return msgspec.structs.replace(known, roles=workload.roles, owner=workload.owner)
