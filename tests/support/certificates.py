"""A certificate authority for tests: certificates of every kind, and revocation lists."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOUR = timedelta(hours=1)
DOMAIN = "spiffe://clinic.example"


class Issued(msgspec.Struct, frozen=True):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def name(self) -> str:
        """For files of its own."""
        return f"{self.certificate.serial_number:x}"

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        """With its intermediates."""
        parts = (self.certificate, *self.chain)
        return "".join(one.public_bytes(Encoding.PEM).decode() for one in parts)

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Files of the certificate and of the key."""
        folder.mkdir(parents=True, exist_ok=True)
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_text(self.pem)
        form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        key.write_bytes(self.key.private_bytes(*form))
        key.chmod(0o600)
        return certificate, key


class Authority:
    """``above``: who issued its certificate; None: itself."""

    def __init__(self, name: str = "Test CA", above: "Authority | None" = None) -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._above = above
        issuer = above or self
        built = (
            _builder(self.name, issuer.name, self.key, -HOUR, 1000 * HOUR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(authority=True), critical=True)
            .add_extension(_own(self.key), critical=False)
            .add_extension(_issuer(issuer.key), critical=False)
        )
        self.certificate = built.sign(issuer.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def write(self, file: Path) -> Path:
        file.write_text(self.pem)
        return file

    def issue(
        self,
        name: str = "",
        uris: tuple[str, ...] = (),
        dns: tuple[str, ...] = (),
        begins: timedelta = -HOUR,
        ends: timedelta = HOUR,
        **odd: Any,
    ) -> Issued:
        """``begins``, ``ends``: from now. ``odd``: ``authority=True``, ``usages=(...)``."""
        key = ec.generate_private_key(ec.SECP256R1())
        named = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
        usages = odd.get(
            "usages", (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)
        )
        built = (
            _builder(x509.Name(named), self.name, key, begins, ends)
            .add_extension(x509.BasicConstraints(odd.get("authority", False), None), critical=True)
            .add_extension(_usage(authority=odd.get("signs", False)), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(_own(key), critical=False)
            .add_extension(_issuer(self.key), critical=False)
        )
        names = [*map(x509.UniformResourceIdentifier, uris), *map(x509.DNSName, dns)]
        if names:
            built = built.add_extension(x509.SubjectAlternativeName(names), critical=not named)
        chain = (self.certificate,) if self._above else ()
        return Issued(built.sign(self.key, hashes.SHA256()), key, chain)

    def workload(self, name: str, **odd: Any) -> Issued:
        """An X.509-SVID."""
        return self.issue(uris=(f"{DOMAIN}/{name}",), **odd)

    def revoke(
        self,
        *revoked: Issued,
        since: timedelta = -HOUR,
        until: timedelta = HOUR,
        number: int = 1,
        critical: bool = False,
    ) -> str:
        """A revocation list in PEM. ``critical``: one that is only a part (RFC 5280, 5.2.5)."""
        now = datetime.now(UTC)
        built = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(now + since)
            .next_update(now + until)
            .add_extension(x509.CRLNumber(number), critical=False)
        )
        if critical:
            built = built.add_extension(x509.DeltaCRLIndicator(1), critical=True)
        for one in revoked:
            built = built.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(one.certificate.serial_number)
                .revocation_date(now - HOUR)
                .build()
            )
        return built.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def client_context(authority: Path, shown: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """Of a client that trusts ``authority`` and shows these files of certificate and key."""
    context = ssl.create_default_context(cafile=authority)
    if shown is not None:
        context.load_cert_chain(*shown)
    return context


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begins: timedelta,
    ends: timedelta,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=authority,
        crl_sign=authority, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _own(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _issuer(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
