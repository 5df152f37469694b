import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.wire import edit, meta
from lockgate.wire.keys import check_params, folded, respelt
from lockgate.wire.refusal import WireRefusal

LONG_S, KELVIN = "\u017f", "\u212a"


def check(params: bytes) -> None:
    fields = edit.members(params)
    check_params(params, fields, meta.read(fields))


def refused(params: bytes) -> WireRefusal:
    with pytest.raises(WireRefusal) as caught:
        check(params)
    assert caught.value.reason == "wire.ambiguous-key"
    return caught.value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("name", "NaMe"),
        ("arguments", "argument" + LONG_S),
        ("task", "tas" + KELVIN),
        ("stra\u00dfe", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("uri", "\uff35\uff32\uff29"),
    ],
)
def test_spellings_that_some_parser_takes_for_the_same(one: str, other: str) -> None:
    assert folded(one) == folded(other)
    assert respelt([other], {one}) == one
    assert respelt([one], {one}) is None


def test_other_keys_are_other_keys() -> None:
    assert folded("name") != folded("names")
    assert respelt(["names", "nam", ""], {"name"}) is None


@given(st.text(), st.sampled_from([str.upper, str.lower, str.swapcase, str.title]))
def test_folding_twice_changes_nothing(key: str, how: object) -> None:
    assert folded(folded(key)) == folded(key)
    if key.isascii():
        assert folded(how(key)) == folded(key)  # type: ignore[operator]


@pytest.mark.parametrize(
    "params",
    [
        b'{"name":"read","arguments":{},"Name":"delete"}',
        b'{"x":1,"X":2}',
        b'{"arguments":{"id":1,"ID":2}}',
        b'{"arguments":{"a":[{"b":[[{"id":1,"Id":2}]]}]}}',
        b'{"arguments":[{"s":1},{"s":1,"\xc5\xbf":2}]}',
        b'{"arguments":{"s":1,"\\u017f":2}}',
        b'{"arguments":{"a":1,"\\u0041":2}}',
        b'{"_meta":{"acme/x":1,"acme/X":2}}',
    ],
)
def test_two_keys_for_one_are_refused(params: bytes) -> None:
    refused(params)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        (b'{"Name":"delete"}', "name"),
        (b'{"name":"read","Arguments":{}}', "arguments"),
        (b'{"name":"read","argument\\u017f":{}}', "arguments"),
        (b'{"URI":"file:///x"}', "uri"),
        (b'{"Cursor":"x"}', "cursor"),
        (b'{"Ref":{}}', "ref"),
        (b'{"Argument":{}}', "argument"),
        (b'{"Context":{}}', "context"),
        (b'{"_Meta":{}}', "_meta"),
        (b'{"Task":{}}', "task"),
        (b'{"requeststate":"x"}', "requestState"),
        (b'{"inputresponses":{}}', "inputResponses"),
        (b'{"ref":{"type":"ref/prompt","Name":"x"}}', "name"),
        (b'{"ref":{"Type":"ref/prompt"}}', "type"),
        (b'{"ref":{"Uri":"x"}}', "uri"),
        (b'{"_meta":{"progresstoken":1}}', "progressToken"),
        (b'{"_meta":{"io.modelcontextprotocol/ProtocolVersion":"x"}}', meta.VERSION),
        (b'{"_meta":{"IO.ModelContextProtocol/other":1}}', meta.OWNED),
    ],
)
def test_what_we_know_has_one_spelling(params: bytes, told: str) -> None:
    assert refused(params).detail == f"{told} is spelled otherwise"


def test_what_arguments_and_vendors_spell_is_theirs() -> None:
    check(orjson.dumps({
        "name": "t", "arguments": {"Name": 1, "Arguments": {"URI": 2}, "rows": [{"a": 1}] * 2},
        "Vendor": {"Type": 1}, "_meta": {"acme/Name": 1, "progressToken": 1},
    }))  # fmt: skip
    check(b"{}")
