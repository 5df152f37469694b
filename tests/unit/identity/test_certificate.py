import ssl

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from lockgate.identity.certificate import (
    CertificateInvalid,
    Named,
    certificates_in,
    read_certificate,
    spiffe_problem,
)
from lockgate.identity.thumbprint import thumbprint
from support.certificates import DOMAIN, Authority, Issued

CA = Authority()
OF_NO_VERSION = CA.issue("x").der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x29", 1)


def why(issued: Issued) -> str:
    with pytest.raises(CertificateInvalid) as caught:
        read_certificate(issued.der)
    return str(caught.value)


def test_a_certificate_is_read() -> None:
    issued = CA.issue("reporter", ("https://x.example/",), ("A.example", "b.example"))
    read = read_certificate(issued.der)
    assert read.subject == "CN=reporter"
    assert read.uris == ("https://x.example/",)
    assert read.dns == ("a.example", "b.example")
    assert read.serial == issued.certificate.serial_number
    assert read.issuer == CA.name.public_bytes()
    assert read.not_before == issued.certificate.not_valid_before_utc.timestamp() * 1000
    assert read.not_after // 1000 == issued.certificate.not_valid_after_utc.timestamp()
    assert read.spiffe == ""


def test_a_thumbprint_names_it() -> None:
    der = CA.issue("x").der
    assert read_certificate(der).thumbprint == thumbprint(der)


def test_a_certificate_without_a_spiffe_id_is_known_by_any_of_its_names() -> None:
    read = read_certificate(CA.issue("x", dns=("a.example", "b.example")).der)
    assert read.names == (
        Named("dns", "a.example"), Named("dns", "b.example"), Named("subject", "CN=x"),
    )  # fmt: skip
    nameless = read_certificate(CA.issue(dns=("a.example",)).der)
    assert nameless.names == (Named("dns", "a.example"),)


def test_one_with_a_spiffe_id_is_known_by_that_alone() -> None:
    issued = CA.issue("billing", (f"{DOMAIN}/desk",), ("billing.example",))
    assert read_certificate(issued.der).names == (Named("spiffe", f"{DOMAIN}/desk"),)


@pytest.mark.parametrize(
    "raw",
    [b"", b"x", b"\x30\x00", CA.issue("x").der[:-1], OF_NO_VERSION],
    ids=["empty", "a letter", "an empty sequence", "cut", "of a version that is none"],
)
def test_what_is_no_certificate_is_refused(raw: bytes) -> None:
    with pytest.raises(CertificateInvalid):
        read_certificate(raw)
    with pytest.raises(ValueError, match="not certificates in PEM"):
        certificates_in(ssl.DER_cert_to_PEM_cert(raw).encode())


def test_an_svid_has_one_uri_and_no_more() -> None:
    assert read_certificate(CA.workload("a/b").der).spiffe == f"{DOMAIN}/a/b"
    assert "more than one URI" in why(CA.issue(uris=(f"{DOMAIN}/a", f"{DOMAIN}/b")))
    assert "more than one URI" in why(CA.issue(uris=(f"{DOMAIN}/a", "https://x.example")))
    assert "more than one URI" in why(CA.issue(uris=("https://x.example", f"{DOMAIN}/a")))
    assert "SPIFFE ID" in why(CA.issue(uris=("SPIFFE://clinic.example/a",)))
    assert "SPIFFE ID" in why(CA.issue(uris=(DOMAIN,)))


def test_a_client_is_no_authority_and_no_mere_server() -> None:
    assert "authority" in why(CA.issue("x", authority=True))
    assert "sign others" in why(CA.issue("x", signs=True))
    assert "clients" in why(CA.issue("x", usages=(ExtendedKeyUsageOID.SERVER_AUTH,)))
    read_certificate(CA.issue("x", usages=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)).der)


@pytest.mark.parametrize("uri", [f"{DOMAIN}/a", "spiffe://a-b_c.1/x/Y.z-_", "spiffe://a/..."])
def test_spiffe_ids(uri: str) -> None:
    assert spiffe_problem(uri) == ""


@pytest.mark.parametrize(
    "uri",
    [
        "", "spiffe:", "spiffe://", "spiffe://a", "spiffe://a/", "spiffe:///a", "https://a/b",
        "spiffe://A/b", "spiffe://a:1/b", "spiffe://u@a/b", "spiffe://a/b?c", "spiffe://a/b#c",
        "spiffe://a//b", "spiffe://a/b/", "spiffe://a/./b", "spiffe://a/../b", "spiffe://a/%62",
        "spiffe://a/b\n", "spiffe://a/" + "b" * 2048,
    ],
)  # fmt: skip
def test_what_is_no_spiffe_id_of_a_workload(uri: str) -> None:
    assert spiffe_problem(uri)
