import contextlib
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import Limits, check
from unit.wire.json_values import TEXT, VALUES, written

LIMITS = Limits()


def refused(raw: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(WireRefusal) as caught:
        check(raw, limits)
    return caught.value.reason


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"  ",
        b"NaN",
        b'{"a":Infinity}',
        b"-Infinity",
        b"1e999",
        b"1" * 400,
        b'{"a":"\\ud800"}',
        b'"\\udc00\\ud800"',
        b'{"\\ud800":1}',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b'"\xc0\x80"',
        b"\xef\xbb\xbf{}",
        b"\xfe\xff\x00{",
        b'"\x00"',
        b'"\n"',
        b"{}x",
        b'{"a":1}\x00',
        b'{"a":1,}',
        b"[1,]",
        b"{'a':1}",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"\xc2\xa0{}",
        b'"\\x41"',
        b"// no\n{}",
        b"{} {}",
    ],
)
def test_what_rfc_8259_forbids_is_refused(raw: bytes) -> None:
    assert refused(raw) == "wire.not-json"


def test_size_and_depth_have_exact_limits() -> None:
    assert check(b'"abc"', Limits(bytes=5)) == "abc"
    assert refused(b'"abcd"', Limits(bytes=5)) == "wire.too-large"
    assert check(b'[{"a":[]}]', Limits(depth=3)) == [{"a": []}]
    assert refused(b'[{"a":[1,[]]}]', Limits(depth=3)) == "wire.too-deep"


@pytest.mark.parametrize("levels", [65, 1024, 1025, 100_000])
def test_no_depth_reaches_the_stack(levels: int) -> None:
    assert refused(b"[" * levels + b"]" * levels) == "wire.too-deep"
    assert refused(b'{"a":' * levels + b"1" + b"}" * levels) == "wire.too-deep"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"b":{"c":1,"c":2}}',
        b'[{"a":1,"a" :2}]',
        b'{"\\u0061":1,"a":2}',
        b'{"a":":","a":":"}',
        b'{"x":"\\":","a":1,"a"\n:2}',
        b'{"k":"a :","a":1,"a":2}',
        b'{"":1,"":2}',
    ],
)
def test_a_repeated_key_is_refused(raw: bytes) -> None:
    assert refused(raw) == "wire.duplicate-key"


@pytest.mark.parametrize("space", [b"", b" ", b"\t", b"\n", b"\r"])
def test_a_repeated_key_is_refused_whatever_stands_before_its_colon(space: bytes) -> None:
    assert refused(b'{"a":1,"a"%b:2}' % space) == "wire.duplicate-key"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":":","b":":x","c" : "d\\":"}',
        b'{"at":"12:30:00","u":"https://x:1/","k :":" :"}',
        b'{"\\\\":1,"\\"":2,"\\\\\\"":3}',
        b'[":",":",{"a":{"a":{"a":1}}}]',
    ],
)
def test_colons_in_strings_are_no_members(raw: bytes) -> None:
    assert check(raw, LIMITS) == orjson.loads(raw)


@given(written())
def test_whatever_the_text_the_value_is_the_same(raw: bytes) -> None:
    assert check(raw, LIMITS) == json.loads(raw)


class _Repeated(Exception):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _Repeated
    return dict(pairs)


MEMBERS = st.lists(st.tuples(TEXT, st.integers(0, 9) | TEXT), max_size=4)


@given(st.lists(MEMBERS, max_size=3), st.sampled_from([":", " :", "\t:", "\n : ", "\r:"]))
def test_agrees_with_a_parser_that_looks_at_every_pair(
    objects: list[list[tuple[str, Any]]], colon: str
) -> None:
    texts = [
        "{" + ",".join(json.dumps(k) + colon + json.dumps(v) for k, v in members) + "}"
        for members in objects
    ]
    raw = ("[" + ",".join(texts) + "]").encode()
    try:
        expected = json.loads(raw, object_pairs_hook=_pairs)
    except _Repeated:
        assert refused(raw) == "wire.duplicate-key"
    else:
        assert check(raw, LIMITS) == expected


@given(st.binary(max_size=40) | written(VALUES).map(lambda raw: raw[:-1]))
def test_nothing_but_a_refusal_ever_comes_out(raw: bytes) -> None:
    with contextlib.suppress(WireRefusal):
        check(raw, Limits(bytes=64, depth=8))
