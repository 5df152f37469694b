"""Which client certificates count now: issued by whom we trust, in time, and not revoked.

In a handshake with us, OpenSSL has verified the chain before anything of this is asked. Of what a
proxy passes on, the chain is verified here, so that a proxy that verifies nothing (nginx:
``optional_no_ca``) vouches for nothing.
"""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509 import verification

from lockgate.identity.certificate import (
    UNREADABLE,
    Certificate,
    CertificateInvalid,
    certificates_in,
    read_certificate,
)
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.revocation import Revocations

_KEPT = 4_096
_KEPT_MS = 600_000
"""How long a verified chain need not be verified again: its intermediates may expire."""


class Trust:
    """``authorities``: PEM of those that may issue client certificates, with intermediates.
    ``revocations``: None where nothing is ever revoked.

    Raises ``ValueError`` where ``authorities`` holds no certificate.
    """

    def __init__(self, authorities: bytes, revocations: Revocations | None = None) -> None:
        known = certificates_in(authorities)
        self._store = verification.Store(known)
        self._revocations = revocations
        if revocations is not None:
            revocations.authorities = tuple(known)
        self._verified: dict[tuple[bytes, tuple[bytes, ...]], int] = {}
        """Chains, and until when each counts as verified."""

    def check(self, der: bytes, now_ms: int) -> Certificate | AuthRefusal:
        """A certificate whose chain has been verified."""
        try:
            found = read_certificate(der)
        except CertificateInvalid as invalid:
            return AuthRefusal("auth.certificate", str(invalid))
        if not found.not_before <= now_ms <= found.not_after:
            return _refused(found, "has expired or is not valid yet")
        if self._revocations is None:
            return found
        return self._revocations.check(found, now_ms) or found

    def check_chain(
        self, der: bytes, chain: tuple[bytes, ...], now_ms: int
    ) -> Certificate | AuthRefusal:
        """``chain``: intermediates that came with it."""
        found = self.check(der, now_ms)
        if isinstance(found, AuthRefusal) or now_ms < self._verified.get((der, chain), 0):
            return found
        problem = _chain_problem(self._store, der, chain, now_ms)
        if problem:
            return _refused(found, problem)
        if len(self._verified) >= _KEPT:
            self._verified.pop(next(iter(self._verified)))
        self._verified[der, chain] = now_ms + _KEPT_MS
        return found


def _refused(certificate: Certificate, why: str) -> AuthRefusal:
    return AuthRefusal("auth.certificate", f"certificate {certificate.thumbprint} {why}")


def _chain_problem(
    store: verification.Store, der: bytes, chain: tuple[bytes, ...], now_ms: int
) -> str:
    policy = (
        verification.PolicyBuilder()
        .store(store)
        .time(datetime.fromtimestamp(now_ms / 1000, UTC))
        .extension_policies(
            ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(),
            # What a client's own must be like, ``read_certificate`` has seen to: the rules of
            # public web servers do not fit it (SPIFFE: no DNS name, perhaps no subject).
            ee_policy=verification.ExtensionPolicy.permit_all(),
        )
    )
    try:
        between = [x509.load_der_x509_certificate(one) for one in chain]
        policy.build_client_verifier().verify(x509.load_der_x509_certificate(der), between)
    except verification.VerificationError:
        return "was not issued by an authority that is trusted here"
    except UNREADABLE:
        return "came with a chain that cannot be read"
    return ""
