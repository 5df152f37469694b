import base64
import hashlib
from urllib.parse import quote

import pytest

from lockgate.identity.forwarded import Form, Forwarded, ForwardedInvalid, read_forwarded
from lockgate.wire.headers import Headers
from support.certificates import DOMAIN, Authority, Issued

CA = Authority()
BETWEEN = Authority("Intermediate", CA)
DESK = BETWEEN.workload("desk")
OTHER = CA.workload("other")
PEM = quote(Issued(DESK.certificate, DESK.key).pem, safe="")
CHAIN = quote(DESK.pem, safe="")
HASH = hashlib.sha256(DESK.der).hexdigest()
XFCC = f'Hash={HASH};Cert="{PEM}";Subject="CN=\\"desk\\", O=Clinic";URI={DOMAIN}/desk'


def sequence(der: bytes) -> str:
    return f":{base64.b64encode(der).decode()}:"


def read(form: Form, *headers: tuple[str, str]) -> Forwarded:
    sent = Headers([(name.encode(), value.encode()) for name, value in headers])
    return read_forwarded(form, sent.all)


def refused(form: Form, *headers: tuple[str, str]) -> str:
    with pytest.raises(ForwardedInvalid) as caught:
        read(form, *headers)
    return str(caught.value)


@pytest.mark.parametrize("form", ["xfcc", "client-cert", "nginx"])
def test_no_header_means_no_certificate(form: Form) -> None:
    assert read(form) == Forwarded()


def test_the_element_that_envoy_writes() -> None:
    assert read("xfcc", ("X-Forwarded-Client-Cert", XFCC)) == Forwarded(DESK.der)
    dns = f"{XFCC};DNS=a.example;DNS=b.example"
    assert read("xfcc", ("X-Forwarded-Client-Cert", dns)).certificate == DESK.der
    whole = read("xfcc", ("X-Forwarded-Client-Cert", f'Cert="{PEM}";Chain="{CHAIN}"'))
    assert whole == Forwarded(DESK.der, (Issued(BETWEEN.certificate, BETWEEN.key).der,))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "Hash",
        f"Hash={HASH}",
        f'Hash={HASH};Cert=""',
        f'Hash={"0" * 64};Cert="{PEM}"',
        f'Cert="{PEM}',
        f'Cert="{PEM}";Cert="{PEM}"',
        f'Cert="{PEM}";cert="{PEM}"',
        f'Cert="{CHAIN}"',
        'Cert="x"',
        f'Cert="{PEM}"x',
        f'Cert="{PEM}";Subject="a"b"',
        f"{XFCC},{XFCC}",
        f"{XFCC}, ",
        f"By=x,{XFCC}",
    ],
    ids=range(16),
)
def test_anything_but_one_element_with_one_certificate_is_refused(value: str) -> None:
    refused("xfcc", ("X-Forwarded-Client-Cert", value))


def test_a_name_in_the_certificate_adds_nothing_to_the_element() -> None:
    """Envoy writes URI and DNS names as they stand."""
    other = quote(Issued(OTHER.certificate, OTHER.key).pem, safe="")
    for forged in (f'x;Cert="{other}"', f'x,Cert="{other}"', f'x,Hash=1;Cert="{other}"'):
        refused("xfcc", ("X-Forwarded-Client-Cert", f'Cert="{PEM}";URI={forged}'))
    inside = f'Cert="{PEM}";Subject="CN=x,Cert=\\"{other}\\""'
    assert read("xfcc", ("X-Forwarded-Client-Cert", inside)).certificate == DESK.der


def test_a_byte_sequence_as_rfc_9440_says() -> None:
    assert read("client-cert", ("Client-Cert", sequence(DESK.der))) == Forwarded(DESK.der)
    between = Issued(BETWEEN.certificate, BETWEEN.key).der
    chain = ("Client-Cert-Chain", f"{sequence(between)}, {sequence(OTHER.der)}")
    found = read("client-cert", ("Client-Cert", sequence(DESK.der)), chain)
    assert found == Forwarded(DESK.der, (between, OTHER.der))
    twice = (("Client-Cert-Chain", sequence(between)), ("Client-Cert-Chain", sequence(OTHER.der)))
    assert read("client-cert", ("Client-Cert", sequence(DESK.der)), *twice) == found


@pytest.mark.parametrize("value", ["", "::", "x", ":x:", ":eA", "eA==", ":e A==:", ":eA==:;a=1"])
def test_anything_else_is_refused(value: str) -> None:
    refused("client-cert", ("Client-Cert", value))


def test_a_chain_belongs_to_a_certificate() -> None:
    refused("client-cert", ("Client-Cert-Chain", sequence(DESK.der)))
    good = ("Client-Cert", sequence(DESK.der))
    refused("client-cert", good, ("Client-Cert-Chain", "x"))


def test_the_variable_of_nginx() -> None:
    assert read("nginx", ("Ssl-Client-Cert", PEM)) == Forwarded(DESK.der)
    for value in ("", "x", CHAIN, PEM[:-60]):
        refused("nginx", ("Ssl-Client-Cert", value))


@pytest.mark.parametrize(
    ("form", "header"),
    [
        ("xfcc", ("X-Forwarded-Client-Cert", XFCC)),
        ("client-cert", ("Client-Cert", sequence(DESK.der))),
        ("nginx", ("Ssl-Client-Cert", PEM)),
    ],
)
def test_a_header_that_came_twice_is_refused(form: Form, header: tuple[str, str]) -> None:
    assert "more than one" in refused(form, header, header)
