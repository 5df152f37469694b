"""Certificate revocation lists (RFC 5280, 5), from a file that is read again when it changes.

Whether a certificate was revoked is unknown, and the answer no, where there is no list of its
issuer, or only one that is not signed by it, whose ``nextUpdate`` has passed, or that cannot be
read.
"""

import os
import re
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from lockgate.identity.certificate import UNREADABLE, Certificate
from lockgate.identity.refusal import AuthRefusal

LOOK_MS = 1_000
"""How long a change of the file may go unseen."""
_PEM = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)


class _List(msgspec.Struct, frozen=True):
    number: int
    since: int
    until: int
    """Both in milliseconds since the Unix epoch."""
    serials: frozenset[int]


class Revocations:
    """The lists in ``file``: PEM, one or several, or one in DER."""

    def __init__(self, file: Path) -> None:
        self.authorities: tuple[x509.Certificate, ...] = ()
        """Whose lists count."""
        self._file = file
        self._lists: dict[bytes, _List] = {}
        """By the DER of the issuer's name."""
        self._seen: tuple[int, ...] = ()
        self._look_at = 0

    def check(self, certificate: Certificate, now_ms: int) -> AuthRefusal | None:
        """None: it is known not to be revoked."""
        if now_ms >= self._look_at or now_ms < self._look_at - LOOK_MS:
            self._look()
            self._look_at = now_ms + LOOK_MS
        found = self._lists.get(certificate.issuer)
        if found is None:
            return AuthRefusal("auth.unknown", "there is no revocation list of its issuer")
        if not found.since <= now_ms < found.until:
            return AuthRefusal("auth.unknown", "the revocation list of its issuer is out of date")
        if certificate.serial in found.serials:
            return AuthRefusal("auth.certificate", f"{certificate.thumbprint} was revoked")
        return None

    def _look(self) -> None:
        try:
            seen = _mark(os.stat(self._file))
            if seen != self._seen:
                self._lists = self._read(self._file.read_bytes())
                self._seen = seen
        except (OSError, *UNREADABLE):
            self._lists, self._seen = {}, ()

    def _read(self, raw: bytes) -> dict[bytes, _List]:
        """Raises ``ValueError`` where any part of it cannot be read."""
        newest: dict[bytes, _List] = {}
        for one in lists_in(raw):
            name = one.issuer.public_bytes()
            read = _listed(one) if self._is_signed(one) else None
            if read is not None and (name not in newest or newest[name].number < read.number):
                newest[name] = read
        return newest

    def _is_signed(self, found: x509.CertificateRevocationList) -> bool:
        return any(
            _may_sign(one) and _signed_by(found, one)
            for one in self.authorities
            if one.subject == found.issuer
        )


def lists_in(raw: bytes) -> list[x509.CertificateRevocationList]:
    """Raises ``ValueError``."""
    parts = _PEM.findall(raw)
    try:
        return [x509.load_pem_x509_crl(part) for part in parts] or [x509.load_der_x509_crl(raw)]
    except UNREADABLE as error:
        raise ValueError("not a revocation list") from error


def _mark(seen: os.stat_result) -> tuple[int, ...]:
    return (seen.st_ino, seen.st_size, seen.st_mtime_ns)


def _signed_by(found: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    try:
        return found.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
    except (InvalidSignature, TypeError):  # a kind of key that signs nothing
        return False


def _may_sign(authority: x509.Certificate) -> bool:
    # RFC 5280, 6.3.3 (f): if a key usage extension is present, cRLSign must be set.
    try:
        return authority.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _listed(found: x509.CertificateRevocationList) -> _List | None:
    """None for one that does not speak of all certificates of its issuer (RFC 5280, 5.2: delta and
    partial lists say so in a critical extension) or does not say until when it holds."""
    if any(extension.critical for extension in found.extensions):
        return None
    if found.next_update_utc is None or any(e.critical for one in found for e in one.extensions):
        return None
    return _List(
        number=_number(found),
        since=int(found.last_update_utc.timestamp() * 1000),
        until=int(found.next_update_utc.timestamp() * 1000),
        serials=frozenset(one.serial_number for one in found),
    )


def _number(found: x509.CertificateRevocationList) -> int:
    try:
        return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0
