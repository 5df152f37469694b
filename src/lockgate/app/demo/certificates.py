"""The demo's own certificate authority, and what it issues: to the gateway, and to one program."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lockgate.app.stamps import now_ms
from lockgate.control_plane.services.files import PRIVATE, write_new

HOST = "127.0.0.1"
_EARLIER, _LATER = timedelta(minutes=5), timedelta(days=30)
_SERVER, _CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


class Certificates(msgspec.Struct, frozen=True):
    """Files in PEM."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def certificate(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def key(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def trust(self, shown: str = "") -> ssl.SSLContext:
        """Of a client that trusts the authority and nobody else, and shows this certificate."""
        context = ssl.create_default_context(cafile=self.ca)
        if shown:
            context.load_cert_chain(self.certificate(shown), self.key(shown))
        return context


class _Authority:
    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The demo's clinic")])
        built = _begun(self.name, self.name, self.key, self.key, authority=True)
        self.certificate = built.sign(self.key, hashes.SHA256())


def make_certificates(folder: Path, workloads: dict[str, str]) -> Certificates:
    """An authority, a certificate ``gate`` for the loopback address, and for each of ``workloads``
    one with its SPIFFE ID (X.509-SVID, section 2). The authority's key is not kept: nobody issues
    another. Raises ``Refused``."""
    authority, made = _Authority(), Certificates(folder)
    write_new(made.ca, _pem(authority.certificate))
    address = x509.IPAddress(ip_address(HOST))
    _issue(authority, made, "gate", address, (_SERVER,))
    for name, spiffe in workloads.items():
        _issue(authority, made, name, x509.UniformResourceIdentifier(spiffe), (_CLIENT,))
    return made


def _issue(
    authority: _Authority,
    into: Certificates,
    name: str,
    known_as: x509.GeneralName,
    uses: tuple[x509.ObjectIdentifier, ...],
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = (
        _begun(subject, authority.name, key, authority.key, authority=False)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(x509.SubjectAlternativeName([known_as]), critical=False)
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_new(into.certificate(name), _pem(built.sign(authority.key, hashes.SHA256())))
    write_new(into.key(name), private.decode(), PRIVATE)


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.CertificateBuilder:
    """What every certificate says (RFC 5280, section 4)."""
    now = datetime.fromtimestamp(now_ms() / 1000, UTC)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=authority,
        crl_sign=authority, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + _LATER)
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
