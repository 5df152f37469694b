import pytest

from lockgate.wire import edit, meta
from lockgate.wire.refusal import WireRefusal


def strip(raw: bytes, *also: str) -> bytes:
    return edit.merge(raw, meta.strip(edit.members(raw), *also))


def test_only_the_protocols_own_keys_go() -> None:
    raw = (
        b'{"a":1,"_meta":{"io.modelcontextprotocol/x":1, "acme/y" : 2.0,'
        b'"traceparent":"t","progressToken":3}}'
    )
    assert strip(raw, meta.PROGRESS) == b'{"a":1,"_meta":{"acme/y" : 2.0,"traceparent":"t"}}'
    assert b"progressToken" in strip(raw)


def test_an_emptied_meta_goes_and_an_untouched_one_stays() -> None:
    assert strip(b'{"_meta":{"io.modelcontextprotocol/x":1}}') == b"{}"
    assert strip(b'{ "_meta": {} }') == b'{ "_meta": {} }'
    assert strip(b'{"_meta":5}') == b'{"_meta":5}'


def test_keys_are_set_where_meta_is_missing_or_no_object() -> None:
    for raw in (b"{}", b'{"_meta":1}'):
        added = edit.merge(raw, meta.add(edit.members(raw), {"k": b"1"}))
        assert added == b'{"_meta":{"k":1}}'


def test_a_meta_of_another_shape_is_refused() -> None:
    with pytest.raises(WireRefusal) as caught:
        meta.read({"_meta": b"[]"})
    assert caught.value.reason == "wire.bad-params"
    assert meta.read({}) == {}


@pytest.mark.parametrize("token", [b'"p"', b"7", b"123456789012345678901234567890"])
def test_progress_tokens_are_exact(token: bytes) -> None:
    found = meta.progress_token({"progressToken": token})
    assert found == ("p" if token == b'"p"' else int(token))


@pytest.mark.parametrize("token", [b"1.5", b"null", b"true", b"{}"])
def test_other_progress_tokens_are_refused(token: bytes) -> None:
    with pytest.raises(WireRefusal) as caught:
        meta.progress_token({"progressToken": token})
    assert caught.value.reason == "wire.bad-params"


@pytest.mark.parametrize(
    ("info", "label"),
    [
        (b'{"name":"ide","version":"3"}', "ide/3"),
        (b'{"name":"ide"}', "ide"),
        (b'{"name":5,"version":null}', ""),
        (b"[]", ""),
        (None, ""),
        (b'{"name":"a\\nb\\u001b[0m c"}', "a_b_[0m_c"),
        (b'{"name":"a\\u202eb\\u2028c\\ud88d\\ude00"}', "a_b_c_"),
        (b'{"name":"' + b"x" * 99 + b'"}', "x" * 60),
    ],
)
def test_labels_are_short_and_printable(info: bytes | None, label: str) -> None:
    assert meta.label(info) == label


@pytest.mark.parametrize(
    ("level", "wanted", "reaches"),
    [
        ("info", "info", True),
        ("emergency", "debug", True),
        ("debug", "info", False),
        ("info", "", False),
        ("loud", "debug", False),
        (None, "debug", False),
        (["info"], "debug", False),
    ],
)
def test_a_message_is_wanted_from_its_level_on(level: object, wanted: str, reaches: bool) -> None:
    assert meta.reaches(level, wanted) is reaches
