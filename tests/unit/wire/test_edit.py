import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.wire import edit
from lockgate.wire.refusal import WireRefusal
from unit.wire.json_values import OBJECTS, TEXT, VALUES, written

ODD = b' { "b\\u0061r" : 1.00 ,\n "s":"\\u00e9 :,{" , "list":[ 1 , {"x":10e2}, "\\/" ] , "n":-0 } '


def test_pointers_are_escaped_as_rfc_6901_says() -> None:
    assert edit.tokens("/a~1b/m~0n//0") == ("a/b", "m~n", "", "0")
    assert edit.pointer("a/b", "m~n", "", "0") == "/a~1b/m~0n//0"
    assert edit.tokens("") == ()
    with pytest.raises(ValueError):
        edit.tokens("a")


@given(st.lists(TEXT, max_size=4))
def test_pointer_and_tokens_are_inverse(path: list[str]) -> None:
    assert edit.tokens(edit.pointer(*path)) == tuple(path)


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", ODD),
        ("/bar", b"1.00"),
        ("/list/1/x", b"10e2"),
        ("/list/2", b'"\\/"'),
        ("/n", b"-0"),
        ("/list/3", None),
        ("/list/01", None),
        ("/list/-", None),
        ("/list/99999999999999999999", None),
        ("/s/0", None),
        ("/none/x", None),
    ],
)
def test_get_gives_the_bytes_that_are_there(pointer: str, found: bytes | None) -> None:
    assert edit.get(ODD, pointer) == found


def test_edits_leave_every_other_byte_alone() -> None:
    assert edit.put(ODD, "/list/1/x", b'"new"') == ODD.replace(b"10e2", b'"new"')
    assert edit.put(ODD, "/bar", b"[]") == ODD.replace(b"1.00", b"[]")
    assert edit.drop(ODD, "/list/1/x") == ODD.replace(b'"x":10e2', b"")
    assert edit.drop(ODD, "/bar") == ODD.replace(b'"b\\u0061r" : 1.00 ,\n ', b"")
    assert edit.drop_items(ODD, "/list", {0, 2, 9}) == ODD.replace(
        b'1 , {"x":10e2}, "\\/"', b'{"x":10e2}'
    )
    assert edit.merge(ODD, {"n": None, "s": b"0", "new": b"1"}) == ODD.replace(
        b'"\\u00e9 :,{" ', b"0 "
    ).replace(b' , "n":-0', b',"new":1')


def test_put_makes_missing_objects_and_appends() -> None:
    assert edit.put(b"{}", "/_meta/a~1b", b"1") == b'{"_meta":{"a/b":1}}'
    assert edit.put(b'{"a":[1]}', "/a/-", b"2") == b'{"a":[1,2]}'
    assert edit.put(b"[ ]", "/-", b"2") == b"[2 ]"
    assert edit.put(b"1", "", b"2") == b"2"
    assert edit.merge(b" { } ", {"a": b"1", "b": None}) == b' { "a":1} '


@pytest.mark.parametrize(
    ("raw", "pointer"), [(b"1", "/a"), (b"[1]", "/1"), (b"[1]", "/x"), (b'{"a":1}', "/a/b")]
)
def test_put_says_when_there_is_no_place(raw: bytes, pointer: str) -> None:
    with pytest.raises(LookupError):
        edit.put(raw, pointer, b"2")


def test_the_whole_document_is_not_dropped() -> None:
    with pytest.raises(LookupError):
        edit.drop(b"{}", "")
    with pytest.raises(LookupError):
        edit.merge(b"[]", {"a": b"1"})


def test_dropping_nothing_changes_nothing() -> None:
    for pointer in ("/x", "/list/7", "/s/a", "/list/1/y"):
        assert edit.drop(ODD, pointer) == ODD
    assert edit.drop_items(ODD, "/s", {0}) == ODD
    assert edit.merge(ODD, {"x": None}) == ODD


def test_change_follows_patterns_and_skips_other_shapes() -> None:
    raw = b'{"l":[{"a":1},{"b":2},3,{"a" : 4}],"o":{"a":5}}'
    seen: list[bytes] = []

    def note(found: bytes) -> bytes:
        seen.append(found)
        return found + b"0"

    assert edit.change(raw, ("l", "*", "a"), note) == raw.replace(b":1", b":10").replace(
        b": 4", b": 40"
    )
    assert seen == [b"1", b"4"]
    assert edit.change(raw, ("o", "*", "a"), note) == raw
    assert edit.change(raw, ("none", "*"), note) == raw


def test_text_that_never_passed_the_strict_decoder_is_not_edited() -> None:
    with pytest.raises(WireRefusal):
        edit.put(b'{"a":1,"a":2}', "/a", b"3")


@given(written(OBJECTS), TEXT, VALUES)
def test_put_then_get_and_nothing_else_moves(raw: bytes, key: str, value: Any) -> None:
    new = orjson.dumps(value)
    pointer = edit.pointer(key)
    put = edit.put(raw, pointer, new)
    assert edit.get(put, pointer) == new
    before, after = edit.members(raw), edit.members(put)
    before.pop(key, None)
    after.pop(key)
    assert before == after


@given(written(OBJECTS), TEXT, TEXT, VALUES)
def test_nested_put_then_get(raw: bytes, outer: str, inner: str, value: Any) -> None:
    pointer = edit.pointer(outer, inner)
    try:
        put = edit.put(raw, pointer, orjson.dumps(value))
    except LookupError:
        return
    assert edit.get(put, pointer) == orjson.dumps(value)
    json.loads(put)


@given(written(OBJECTS), TEXT)
def test_what_was_added_and_dropped_leaves_no_trace(raw: bytes, key: str) -> None:
    if edit.get(raw, edit.pointer(key)) is None:
        added = edit.put(raw, edit.pointer(key), b"1")
        assert json.loads(edit.drop(added, edit.pointer(key))) == json.loads(raw)


@given(written(OBJECTS), st.dictionaries(TEXT, st.none() | VALUES.map(orjson.dumps), max_size=4))
def test_merge_is_puts_and_drops(raw: bytes, changes: dict[str, bytes | None]) -> None:
    expected = json.loads(raw)
    for key, value in changes.items():
        if value is None:
            expected.pop(key, None)
        else:
            expected[key] = json.loads(value)
    assert json.loads(edit.merge(raw, changes)) == expected


@given(written(st.lists(VALUES, max_size=6)), st.sets(st.integers(0, 6)))
def test_drop_items_keeps_the_others_bytes(raw: bytes, gone: set[int]) -> None:
    def elements(text: bytes) -> list[bytes | None]:
        return [edit.get(text, f"/{i}") for i in range(len(json.loads(text)))]

    kept = [e for i, e in enumerate(elements(raw)) if i not in gone]
    assert elements(edit.drop_items(raw, "", gone)) == kept
