import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.wire.headers import Headers, decode_value, encode_value
from lockgate.wire.refusal import WireRefusal


def test_names_have_no_case_and_values_no_outer_space() -> None:
    sent = Headers([(b"Mcp-Method", b" \ttools/call "), (b"a", b"1"), (b"A", b"2")])
    assert sent.one("MCP-method") == "tools/call"
    assert sent.one("absent") is None
    assert sent.all("a") == ["1", "2"]
    assert sent.all("absent") == []
    assert sent.named("mcp-") == ["mcp-method"]


def test_a_header_sent_twice_has_no_value() -> None:
    sent = Headers([(b"mcp-name", b"a"), (b"MCP-Name", b"a")])
    with pytest.raises(WireRefusal) as caught:
        sent.one("mcp-name")
    assert caught.value.reason == "wire.header-mismatch"


def test_headers_are_required_unless_the_transport_mirrors_nothing() -> None:
    sent = Headers([(b"mcp-name", b"a")])
    found = sent.optional()
    assert (sent.required, found.required, found.one("mcp-name")) == (True, False, "a")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain text", "plain text"),
        ("", ""),
        ("é", "=?base64?w6k=?="),
        (" x", "=?base64?IHg=?="),
        ("a\nb", "=?base64?YQpi?="),
        ("=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
    ],
)
def test_values_that_do_not_fit_are_wrapped(text: str, value: str) -> None:
    assert encode_value(text) == value
    assert decode_value(value) == text


@given(st.text())
def test_encoding_is_reversible_and_safe_in_a_header(text: str) -> None:
    value = encode_value(text)
    assert decode_value(value) == text
    assert value.isascii()
    assert value.isprintable()


@pytest.mark.parametrize(
    "payload", ["eA", "eA=", "eB==", "*", "e A==", base64.b64encode(b"\xff").decode(), "é"]
)
def test_a_broken_sentinel_equals_nothing(payload: str) -> None:
    assert decode_value(f"=?base64?{payload}?=") is None


def test_which_of_some_names_were_sent() -> None:
    sent = Headers([(b"Client-Cert", b"x"), (b"host", b"h"), (b"client-cert", b"y")])
    assert sent.among(frozenset({"client-cert", "x-other"})) == {"client-cert"}
    assert sent.among(frozenset({"x-other"})) == frozenset()
