from typing import Any

import pytest

from lockgate.control_plane.services.bounds import bound_of, split, value_of
from lockgate.control_plane.services.refused import Refused
from lockgate.model.approval import Bound

ASKED = {"id": "011", "amount": 50, "rate": 0.5, "urgent": True, "how": {"unit": "mg"},
         "list": [1], "none": None}  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "is_", "values"),
    [("/amount<=100", "at-most", (100,)), ("/amount >= 1", "at-least", (1,)),
     ("/amount=50", "equals", (50,)), ("/id=011", "equals", ("011",)), ("/id=", "equals", ("",)),
     ("/rate<=1", "at-most", (1,)), ("/urgent=true", "equals", (True,)),
     ('/how/unit in ["mg","g"]', "one-of", ("mg", "g")), ("/amount in [1,2.5]", "one-of", (1, 2.5)),
     ("/id=a=b<=c", "equals", ("a=b<=c",))],
)  # fmt: skip
def test_a_bound_has_the_type_of_the_argument(typed: str, is_: str, values: Any) -> None:
    found = bound_of(typed, ASKED)
    assert (found.is_, found.values) == (is_, values)
    assert [type(v) for v in found.values] == [type(v) for v in values]


@pytest.mark.parametrize(
    "typed",
    ["amount<=1", "/amount", "/amount<1", "/amount<=x", "/amount<=true", "/urgent=1", "/id<=5",
     "/urgent<=true", "/list=[1]", "/none=null", "/other=1", "/how={}", "/amount in 5",
     "/amount in []", '/amount in ["x"]', "/list in [[1]]", "/amount=NaN", ""],
)  # fmt: skip
def test_what_is_no_bound(typed: str) -> None:
    with pytest.raises(Refused):
        bound_of(typed, ASKED)


def test_a_pointer_may_hold_what_is_written_with_tildes() -> None:
    assert bound_of("/a~1b=x", {"a/b": "y"}) == Bound("/a~1b", "equals", ("x",))
    assert split("/a~0=1") == ("/a~0", "=", "1")


def test_text_stays_text() -> None:
    assert value_of("/id", "5", "x") == "5"
    assert value_of("/amount", "5", 1) == 5
