"""The list of exceptions may only shrink: these numbers go down, never up."""

from pathlib import Path

import pytest

from checks.tree import Tree

RECORDED = {"excepts": 4, "imports": 0, "mirror": 0, "sizes": 0}
ROOT = Path(__file__).parents[3]


def test_no_kind_of_exception_is_unknown() -> None:
    assert Tree(ROOT).exceptions.keys() == RECORDED.keys()


@pytest.mark.parametrize("kind", RECORDED)
def test_exceptions_only_shrink(kind: str) -> None:
    assert len(Tree(ROOT).exceptions[kind]) <= RECORDED[kind]
