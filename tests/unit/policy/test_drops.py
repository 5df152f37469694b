from typing import Any

import pytest

from lockgate.policy import drops

POINTER = "/arguments/a~1b/c"


@pytest.mark.parametrize(
    ("arguments", "holds", "misses"),
    [
        ({"a/b": {"c": None}}, True, False),
        ({"a/b": {}}, False, False),
        ({"a/b": [{"c": 1}]}, False, False),
        ({"a/b": "c"}, False, False),
        ({}, False, False),
        ({"A/b": {}}, False, True),
        ({"a/b": {"C": 1}}, False, True),
        ({"a/b": {"c": 1, "C": 1}}, True, True),
        ({"C": 1, "x": {"A/B": 1}}, False, False),
    ],
)
def test_what_a_pointer_finds_and_what_it_would_miss(
    arguments: dict[str, Any], holds: bool, misses: bool
) -> None:
    params = {"name": "t", "arguments": arguments}
    assert drops.holds(params, POINTER) is holds
    assert drops.misses(params, POINTER) is misses
