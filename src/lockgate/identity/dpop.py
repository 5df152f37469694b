"""Proof that whoever sends a token holds the key it is bound to (RFC 9449)."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Protocol
from urllib.parse import urlsplit

from lockgate.identity.evidence import Evidence
from lockgate.identity.issuer import SIGNATURES, Claims
from lockgate.identity.jwt import NotAccepted, check_time, public_key, read, verify

PROOF_SECONDS = 60
"""How old a proof may be (RFC 9449, 11.1)."""
LEEWAY_SECONDS = 5
NONCE_SECONDS = 300
"""How long a nonce of ours counts. Proofs made ahead of time are worth nothing after it."""


class Replays(Protocol):
    """Proofs that were used, in all workers."""

    async def use(self, mark: str, expires: int) -> bool:
        """False where it was used before. Remembered until ``expires`` (milliseconds since the Unix
        epoch). Raises ``StoreDown``."""
        ...


class NonceWanted(NotAccepted):
    """The proof must hold a nonce of ours, or a newer one (RFC 9449, 9)."""


class Nonces:
    """Times under a keyed hash, so that no worker need remember one. ``key``: 32 secret bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, now_ms: int) -> str:
        said = (now_ms // 1_000).to_bytes(6, "big")
        return urlsafe_b64encode(said + self._seal(said)).decode()

    def good(self, nonce: str, now_ms: int) -> bool:
        try:
            raw = urlsafe_b64decode(nonce.encode("ascii"))
        except ValueError:
            return False
        said, seal = raw[:6], raw[6:]
        if len(said) != 6 or not hmac.compare_digest(seal, self._seal(said)):
            return False
        return 0 <= now_ms // 1_000 - int.from_bytes(said, "big") <= NONCE_SECONDS

    def _seal(self, said: bytes) -> bytes:
        return hmac.digest(self._key, b"lockgate/dpop-nonce/v1\0" + said, "sha256")[:18]


class ProofCheck:
    def __init__(self, replays: Replays, nonces: Nonces) -> None:
        self._replays = replays
        self._nonces = nonces

    async def check(self, evidence: Evidence, token: str, bound_to: str, now_ms: int) -> None:
        """The twelve checks of RFC 9449, 4.3. ``bound_to``: the token's ``cnf.jkt``.

        Raises ``NotAccepted``, ``NonceWanted`` where only the nonce is missing, and ``StoreDown``.
        """
        if len(evidence.dpop) != 1:
            raise NotAccepted("a token that is bound to a key was sent without one proof of it")
        proof = read(evidence.dpop[0])
        if proof is None or proof.type != "dpop+jwt":
            raise NotAccepted("the proof is no DPoP proof")
        key = public_key(proof.header.get("jwk"))
        if key is None:
            raise NotAccepted("the proof holds no public key")
        verify(proof, key, SIGNATURES)
        if key.thumbprint() != bound_to:
            raise NotAccepted("the proof is by another key than the token is bound to")
        claims = proof.claims
        _about(claims, evidence, token)
        check_time(claims, now_ms / 1_000, LEEWAY_SECONDS, most_age=PROOF_SECONDS)
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not self._nonces.good(nonce, now_ms):
            raise NonceWanted("the proof holds no nonce of ours, or an old one")
        await self._once(claims, bound_to, now_ms)

    async def _once(self, claims: Claims, bound_to: str, now_ms: int) -> None:
        said = claims.get("jti")
        if not isinstance(said, str) or not 1 <= len(said) <= 512:
            raise NotAccepted("the proof has no id")
        mark = hashlib.sha256(f"{bound_to}\0{said}".encode("utf-8", "surrogatepass")).hexdigest()
        remembered = now_ms + (PROOF_SECONDS + 2 * LEEWAY_SECONDS) * 1_000
        if not await self._replays.use(mark, remembered):
            raise NotAccepted("the proof was used before")


def _about(claims: Claims, evidence: Evidence, token: str) -> None:
    """The proof is for this request and this token. Raises ``NotAccepted``."""
    if claims.get("htm") != evidence.method:
        raise NotAccepted("the proof is for another method")
    place = claims.get("htu")
    if not isinstance(place, str) or _plain(place) != _plain(evidence.url):
        raise NotAccepted("the proof is for another URL")
    digest = hashlib.sha256(token.encode()).digest()
    if claims.get("ath") != urlsafe_b64encode(digest).rstrip(b"=").decode():
        raise NotAccepted("the proof is for another token")


def _plain(url: str) -> tuple[str, str, int | None, str]:
    """RFC 9449, 4.3: without query and fragment, normalised as RFC 3986, 6.2.2 and 6.2.3 say."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme.lower())
    except ValueError:
        raise NotAccepted("the proof is for no URL") from None
    return parts.scheme.lower(), (parts.hostname or "").lower(), port, parts.path or "/"
