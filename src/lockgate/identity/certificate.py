"""X.509 certificates that clients show (RFC 5280), read into values.

Nothing here says whom to believe: that is ``trust`` (issuer, time, revocation) and ``workload``.
"""

import re
from functools import lru_cache
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from lockgate.identity.thumbprint import thumbprint

# SPIFFE-ID, 2: trust domain, and path of segments; no query, fragment, user or port.
_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]+")
_SPIFFE = "spiffe://"
_LONGEST = 2048
"""Bytes of a SPIFFE ID (SPIFFE-ID, 2.3)."""


class CertificateInvalid(Exception):
    """Not a certificate that may identify a client. The text names no person."""


class Named(msgspec.Struct, frozen=True):
    """What a certificate says of whom it belongs to."""

    kind: Literal["spiffe", "dns", "subject"]
    value: str


class Certificate(msgspec.Struct, frozen=True):
    """Of a client, as its issuer wrote it."""

    der: bytes
    thumbprint: str
    """SHA-256 of the DER, in base64url without padding (RFC 8705, 3.1: ``x5t#S256``)."""
    subject: str
    """Distinguished name as RFC 4514 writes it."""
    issuer: bytes
    """DER of the issuer's name."""
    serial: int
    not_before: int
    not_after: int
    """Both in milliseconds since the Unix epoch; both belong to the time it is valid in."""
    uris: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    """Lower case."""
    names: tuple[Named, ...] = ()
    """What it may be known by. With a SPIFFE ID that alone: whoever issues those vouches for
    nothing else in the certificate (X.509-SVID, 2)."""

    @property
    def spiffe(self) -> str:
        """Its SPIFFE ID; empty where it has none."""
        return self.uris[0] if self.uris and _is_spiffe(self.uris[0]) else ""


UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises for bytes that are no certificate, and no revocation list."""


def certificates_in(pem: bytes) -> list[x509.Certificate]:
    """Raises ``ValueError`` where there is none, or one cannot be read."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except UNREADABLE as error:
        raise ValueError("not certificates in PEM") from error


@lru_cache(maxsize=4096)
def read_certificate(der: bytes) -> Certificate:
    """Raises ``CertificateInvalid``, also for an X.509-SVID that breaks the rules of one."""
    try:
        found = x509.load_der_x509_certificate(der)
        names = _alternative_names(found)
        read = Certificate(
            der=der,
            thumbprint=thumbprint(der),
            subject=found.subject.rfc4514_string(),
            issuer=found.issuer.public_bytes(),
            serial=found.serial_number,
            not_before=_ms(found.not_valid_before_utc.timestamp()),
            not_after=_ms(found.not_valid_after_utc.timestamp()) + 999,
            uris=_of(names, x509.UniformResourceIdentifier),
            dns=tuple(name.lower() for name in _of(names, x509.DNSName)),
        )
        _check_leaf(found)
    except UNREADABLE as error:
        raise CertificateInvalid("not a certificate that can be read") from error
    if any(map(_is_spiffe, read.uris)):
        _check_svid(read)
    return msgspec.structs.replace(read, names=_names(read))


def _names(certificate: Certificate) -> tuple[Named, ...]:
    if certificate.spiffe:
        return (Named("spiffe", certificate.spiffe),)
    dns = tuple(Named("dns", name) for name in certificate.dns)
    return (*dns, Named("subject", certificate.subject)) if certificate.subject else dns


def spiffe_problem(uri: str) -> str:
    """Why this is no SPIFFE ID of a workload (SPIFFE-ID, 2; X.509-SVID, 3.1); empty where it is."""
    if not uri.startswith(_SPIFFE) or len(uri.encode()) > _LONGEST:
        return "not spiffe://<trust domain>/<path>"
    domain, *path = uri[len(_SPIFFE) :].split("/")
    if not _DOMAIN.fullmatch(domain):
        return "its trust domain is not one"
    if not path or not all(map(_SEGMENT.fullmatch, path)):
        return "its path is not one"
    return ""


def _check_svid(certificate: Certificate) -> None:
    # X.509-SVID, 2: "exactly one URI SAN"; with more, it MUST be rejected.
    if len(certificate.uris) != 1:
        raise CertificateInvalid("a SPIFFE certificate with more than one URI")
    problem = spiffe_problem(certificate.uris[0])
    if problem:
        raise CertificateInvalid(f"its SPIFFE ID: {problem}")


def _check_leaf(certificate: x509.Certificate) -> None:
    """X.509-SVID, 4.1 and 4.3, and good for any other certificate of a client too."""
    extensions = certificate.extensions
    for extension in extensions:
        match extension.value:
            case x509.BasicConstraints(ca=True):
                raise CertificateInvalid("a certificate authority's own")
            case x509.KeyUsage() as usage if usage.key_cert_sign or usage.crl_sign:
                raise CertificateInvalid("one that may sign others")
            case x509.ExtendedKeyUsage() as usages if _CLIENT.isdisjoint(usages):
                raise CertificateInvalid("not for clients (extended key usage)")


_CLIENT = frozenset(
    {x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH, x509.oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
)


def _is_spiffe(uri: str) -> bool:
    return uri[: len("spiffe:")].lower() == "spiffe:"


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return None
    return found.value


def _of(
    names: x509.SubjectAlternativeName | None,
    kind: type[x509.UniformResourceIdentifier] | type[x509.DNSName],
) -> tuple[str, ...]:
    return tuple(names.get_values_for_type(kind)) if names is not None else ()


def _ms(seconds: float) -> int:
    return int(seconds) * 1000
