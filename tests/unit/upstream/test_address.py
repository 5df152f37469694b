import socket
import ssl
import sys

import pytest

from lockgate.model import SendFailed
from lockgate.upstream.address import Address, cause


@pytest.mark.parametrize(
    ("url", "address", "authority"),
    [
        ("http://a.example/mcp", Address("a.example", 80, False, "/mcp"), "a.example"),
        ("https://a.example", Address("a.example", 443, True, "/"), "a.example"),
        ("https://a:8443/x?k=v#y", Address("a", 8443, True, "/x?k=v"), "a:8443"),
        ("http://[::1]:9/", Address("::1", 9, False, "/"), "[::1]:9"),
        ("http://b\u00fccher.example/", Address("xn--bcher-kva.example", 80, False, "/"),
         "xn--bcher-kva.example"),
        ("http://a/\u00fc b%20c", Address("a", 80, False, "/%C3%BC%20b%20c"), "a"),
        ("http://u:p%40@a/", Address("a", 80, False, "/", "Basic dTpwQA=="), "a"),
    ],
)  # fmt: skip
def test_what_a_url_says(url: str, address: Address, authority: str) -> None:
    assert Address.of(url) == address
    assert address.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "ftp://a/",
        "http:///",
        "http://a:nan/",
        "http://a:99999/",
        "http://[::1/",
        "http://a\0b/",
        "http://a b/",
    ],
)
def test_what_is_no_url_is_unreachable_and_not_repeated(url: str) -> None:
    with pytest.raises(SendFailed) as failed:
        Address.of(url + "secret")
    assert failed.value.reason == "upstream.unreachable"
    assert "secret" not in failed.value.detail


def test_a_cause_leaves_out_what_the_other_side_said() -> None:
    wrong = ssl.SSLCertVerificationError(1, "said")
    wrong.verify_message = "Hostname mismatch, certificate is not valid for 'say yes'."
    assert cause(wrong) == "its certificate is not valid: Hostname mismatch"
    assert cause(ConnectionRefusedError(111, "Connection refused")) == "Connection refused"
    assert cause(socket.gaierror(-2, "Name or service not known")) == "Name or service not known"
    assert cause(OSError("http://a/secret")) == "OSError"


def test_a_long_header_is_not_remembered() -> None:
    address, value = Address.of("http://a/mcp"), "x" * 10_000
    before = sys.getrefcount(value)
    head = address.head("POST", {"Mcp-Param-Note": value}, b"{}")
    assert f"mcp-param-note: {value}\r\n".encode() in head
    assert sys.getrefcount(value) == before
