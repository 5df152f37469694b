from typing import Any

import pytest

from lockgate.identity.issuer import Introspection, claim, first_text, words

CLAIMS: dict[str, Any] = {
    "a": {"b": ["x", "y", 5]}, "a.b": "whole", "c": "p q", "d": 5, "e": {"f": {"g": "deep"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "found"),
    [("a.b", "whole"), ("e.f.g", "deep"), ("e.x", None), ("d.x", None), ("z", None)],
)
def test_a_path_looks_inside_unless_a_claim_has_that_very_name(path: str, found: object) -> None:
    assert claim(CLAIMS, path) == found


def test_the_first_text_counts() -> None:
    assert first_text(CLAIMS, ("z", "d", "c")) == "p q"
    assert first_text(CLAIMS, ("z",)) == ""


def test_words_come_from_lists_and_from_text() -> None:
    assert words({**CLAIMS, "l": ["x", 5]}, ("c", "l", "d")) == {"p", "q", "x"}


def test_a_secret_is_not_shown() -> None:
    assert "secret" not in repr(Introspection("https://a.example/i", "us", "secret"))
