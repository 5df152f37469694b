from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from lockgate.approval.edits import Change, at, diff, edited
from lockgate.approval.payload import read_stored, stored
from worlds import call

BEFORE: dict[str, Any] = {"dose": 5, "how": {"route": "oral", "a/b": [1, 2]}, "note": None}
CALL = read_stored(stored(call("prescribe", **BEFORE)))


def test_what_differs_is_told_by_pointer() -> None:
    after: dict[str, Any] = {"dose": 10, "how": {"route": "oral", "a/b": [2, 1]}, "new": "x"}
    assert diff(BEFORE, after) == (
        Change("/dose", "5", "10"), Change("/how/a~1b", "[1,2]", "[2,1]"),
        Change("/new", "", '"x"'), Change("/note", "null", ""),
    )  # fmt: skip
    assert diff(BEFORE, dict(BEFORE)) == ()
    assert str(diff(BEFORE, after)[3]) == "/note: null -> nothing"


def test_an_edit_changes_what_was_asked_and_nothing_beside_it() -> None:
    after = edited(CALL, {"/dose": 10, "/how/a~1b": [3]})
    assert after.arguments == BEFORE | {"dose": 10, "how": {"route": "oral", "a/b": [3]}}
    assert orjson.loads(after.params)["name"] == "prescribe"
    assert after.call().digest != CALL.call().digest
    assert CALL.arguments == BEFORE


@pytest.mark.parametrize("pointer", ["/other", "/dose/deep", "/how/none", "/none/deep"])
def test_an_edit_adds_nothing(pointer: str) -> None:
    with pytest.raises(KeyError):
        edited(CALL, {pointer: 1})


def test_a_value_is_found_by_its_pointer() -> None:
    assert at(BEFORE, "/how/route") == "oral"
    assert at(BEFORE, "/how/none") is None
    assert at(BEFORE, "/dose/deep") is None


def test_an_edit_changes_nothing_else() -> None:
    """Not even a digit of a number that is too long for a float."""
    params = b'{"name":"x","arguments":{"id":118059162071741130342499,"dose":1.10}}'
    one = replace(CALL, params=params)
    assert edited(one, {"/dose": 2}).params == params.replace(b"1.10", b"2")
