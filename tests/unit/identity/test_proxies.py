import base64
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from lockgate.identity.certificate import Named
from lockgate.identity.proxies import Proxies, Proxy, Sender
from lockgate.identity.refusal import AuthRefusal
from lockgate.identity.revocation import Revocations
from lockgate.identity.trust import Trust
from lockgate.wire.headers import Headers
from support.certificates import DOMAIN, HOUR, Authority, Issued

CA = Authority()
NOW = time.time_ns() // 1_000_000
EDGE, NGINX, DESK = CA.workload("edge"), CA.issue("nginx"), CA.workload("desk")
KNOWN = (
    Proxy("edge", Named("spiffe", f"{DOMAIN}/edge"), "client-cert"),
    Proxy("old", Named("subject", "CN=nginx"), "nginx"),
)
PROXIES = Proxies(Trust(CA.pem.encode()), KNOWN)
PEER = "192.0.2.7"


def said(issued: Issued) -> tuple[str, str]:
    return "Client-Cert", f":{base64.b64encode(issued.der).decode()}:"


def sent(issued: Issued | None, *headers: tuple[str, str], by: Proxies = PROXIES) -> Sender | str:
    """The reason of a refusal."""
    raw = Headers([(name.encode(), value.encode()) for name, value in headers])
    found = by.sender(issued.der if issued else b"", PEER, raw, NOW)
    return found.reason if isinstance(found, AuthRefusal) else found


def test_who_is_no_proxy_speaks_for_itself() -> None:
    assert sent(None) == Sender(b"", PEER)
    assert sent(DESK) == Sender(DESK.der, PEER)
    assert Proxies().sender(b"x", PEER, Headers(()), NOW) == Sender(b"x", PEER)
    assert sent(CA.issue(uris=(f"{DOMAIN}/edge", "x:y"))) != Sender(b"", PEER)


@pytest.mark.parametrize(
    "name",
    ["X-Forwarded-Client-Cert", "Client-Cert", "Client-Cert-Chain", "Ssl-Client-Cert",
     "X-Ssl-Client-Cert", "x-client-cert", "X-ARR-ClientCert"],
)  # fmt: skip
def test_a_certificate_in_a_header_from_no_proxy_is_refused(name: str) -> None:
    header = (name, said(DESK)[1])
    assert sent(None, header) == "auth.forwarded"
    assert sent(DESK, header) == "auth.forwarded"
    assert sent(None, header, by=Proxies()) == "auth.forwarded"


def test_an_address_in_a_header_from_no_proxy_is_not_believed() -> None:
    assert sent(DESK, ("X-Forwarded-For", "10.0.0.1")) == Sender(DESK.der, PEER)


def test_a_proxy_says_who_its_client_is() -> None:
    assert sent(EDGE, said(DESK)) == Sender(DESK.der, PEER)
    assert sent(EDGE) == Sender(b"", PEER), "the proxy's certificate is not the client's"
    pem = quote(DESK.pem, safe="")
    assert sent(NGINX, ("Ssl-Client-Cert", pem)) == Sender(DESK.der, PEER)


def test_and_where_it_is() -> None:
    for value in ("10.0.0.1", "1.1.1.1, 10.0.0.1", "junk, 10.0.0.1"):
        assert sent(EDGE, ("X-Forwarded-For", value)) == Sender(b"", "10.0.0.1")
    twice = (("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-For", "2001:DB8::1"))
    assert sent(EDGE, *twice) == Sender(b"", "2001:db8::1")


@pytest.mark.parametrize("value", ["", "x", "10.0.0.1,", "10.0.0.1:80", "unix:", "10.0.0.1 x"])
def test_where_it_says_no_address_nothing_is_believed(value: str) -> None:
    assert sent(EDGE, ("X-Forwarded-For", value)) == "auth.forwarded"


def test_a_proxy_speaks_in_its_own_form_only() -> None:
    pem = quote(DESK.pem, safe="")
    assert sent(EDGE, ("Ssl-Client-Cert", pem)) == "auth.forwarded"
    assert sent(EDGE, said(DESK), ("X-Forwarded-Client-Cert", f"Cert={pem}")) == "auth.forwarded"
    assert sent(NGINX, said(DESK)) == "auth.forwarded"
    assert sent(EDGE, ("Client-Cert", "x")) == "auth.forwarded"


def test_a_proxy_that_verifies_nothing_vouches_for_nothing() -> None:
    assert sent(EDGE, said(Authority().workload("desk"))) == "auth.certificate"
    assert sent(EDGE, said(CA.workload("desk", ends=-HOUR / 2))) == "auth.certificate"


def test_a_proxy_needs_a_certificate_that_counts(tmp_path: Path) -> None:
    (tmp_path / "crl.pem").write_text(CA.revoke(EDGE))
    trust = Trust(CA.pem.encode(), Revocations(tmp_path / "crl.pem"))
    proxies = Proxies(trust, KNOWN)
    assert sent(EDGE, said(DESK), by=proxies) == "auth.certificate"
    assert sent(NGINX, by=proxies) == Sender(b"", PEER)
