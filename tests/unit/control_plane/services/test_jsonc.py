import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.control_plane.services.jsonc import JsoncInvalid, parse, put

FILE = """{
  // the servers
  "servers": {
    "a": {"url": "http://a//b"}, /* first */
    "b": {"command": "x",}, // second
  },
  "z": [1, 2,], // last
}
"""


def test_comments_and_trailing_commas() -> None:
    assert parse(FILE).value == {
        "servers": {"a": {"url": "http://a//b"}, "b": {"command": "x"}},
        "z": [1, 2],
    }


def test_empty_text_is_an_empty_object() -> None:
    assert parse(" // nothing\n").value == {}
    assert json.loads(put("", ("a", "b"), 1)) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    "text",
    ["{", "[1", '{"a" 1}', '{"a": }', "{a: 1}", "{} {}", '{"a": 1 "b": 2}', '{"a": 1, "a": 2}',
     '"\\x"', "nul", "01", '{"a": /* ', "[" * 500, '"open', "1" * 500],
)  # fmt: skip
def test_what_is_not_json_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(JsoncInvalid) as caught:
        parse(text)
    assert caught.value.line == 1
    assert caught.value.column >= 1


def test_a_new_member_is_put_last_and_all_else_keeps_its_bytes() -> None:
    made = put(FILE, ("servers", "gate"), {"url": "u"})
    added = '    "gate": {\n      "url": "u"\n    },\n'
    before, _, after = FILE.partition("  },\n")
    assert made == f"{before}{added}  }},\n{after}"


def test_a_member_is_replaced_in_place() -> None:
    made = put(FILE, ("servers", "a"), 1)
    assert made == FILE.replace('{"url": "http://a//b"}', "1")


def test_without_a_trailing_comma_one_is_added() -> None:
    assert put('{"a": 1}', ("b",), 2) == '{"a": 1,\n  "b": 2\n}'
    assert put('{\n\t"a": 1 // one\n}', ("b",), 2) == '{\n\t"a": 1, // one\n\t"b": 2\n}'


def test_an_empty_object_keeps_its_comment() -> None:
    assert put("{\n  // none yet\n}", ("b",), 2) == '{\n  // none yet\n  "b": 2\n}'


def test_a_path_through_something_else_is_refused() -> None:
    with pytest.raises(JsoncInvalid, match="object is needed"):
        put('{"a": 1}', ("a", "b"), 2)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=3), values), st.sampled_from([None, 2, "\t"]), values)
def test_put_changes_one_member_and_nothing_else(
    tree: dict[str, object], indent: int | str | None, value: object
) -> None:
    text = json.dumps(tree, indent=indent)
    assert parse(text).value == tree
    assert parse(put(text, ("new",), value)).value == {**tree, "new": value}


@settings(deadline=None)
@given(st.text('{}[]"a:,/*1\n\\', max_size=14))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(JsoncInvalid):
        parse(text)
