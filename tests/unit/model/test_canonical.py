import json

import hypothesis.strategies as st
import orjson
import pytest
from hypothesis import given

from lockgate.model import canonical


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'{"a":1,"b":2}', b'{ "b": 2, "a": 1 }', True),
        (b'{"a":10}', b'{"a":10.0}', False),
        (b'{"a":1e2}', b'{"a":100.0}', False),
        (b'{"a":1.0}', b'{"a":1.00}', False),
        (b'{"a":0}', b'{"a":-0}', False),
        (b'{"a":123456789012345678901234567890}', b'{"a":123456789012345678901234567891}', False),
        (b'{"a":9007199254740993}', b'{"a":9007199254740992}', False),
        (b'{"a":"\\u0041"}', b'{"a":"A"}', True),
        (b'{"a":[1,2]}', b'{"a":[2,1]}', False),
        (b'{"a":null}', b"{}", False),
        (b'{"a":"1"}', b'{"a":1}', False),
        (b'{"a":true}', b'{"a":1}', False),
    ],
)
def test_one_byte_string_for_one_meaning(one: bytes, other: bytes, same: bool) -> None:
    assert (canonical(one) == canonical(other)) is same


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=4
    ),
    max_leaves=12,
)  # fmt: skip


@given(values)
def test_key_order_and_white_space_never_matter(value: object) -> None:
    compact = json.dumps(value).encode()
    sorted_wide = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False).encode()
    assert canonical(compact) == canonical(sorted_wide)


@given(values)
def test_canonical_text_still_means_the_same(value: object) -> None:
    text = json.dumps(value)
    assert json.loads(canonical(text.encode())) == json.loads(text)


def test_what_is_not_json_raises() -> None:
    with pytest.raises(orjson.JSONDecodeError):
        canonical(b"{")
