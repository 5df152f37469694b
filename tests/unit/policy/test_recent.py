import pytest

from lockgate.policy.recent import Recent


def test_makes_a_value_once() -> None:
    made = iter([7])
    kept: Recent[str, int] = Recent(2)
    assert [kept.get("a", lambda: next(made)) for _ in range(3)] == [7, 7, 7]


def test_forgets_what_was_used_longest_ago() -> None:
    kept: Recent[str, int] = Recent(2)
    kept.get("a", lambda: 1)
    kept.get("b", lambda: 2)
    kept.get("a", lambda: 0)
    kept.get("c", lambda: 3)
    assert len(kept) == 2
    assert kept.get("a", lambda: 9) == 1
    assert kept.get("b", lambda: 9) == 9


def test_keeps_nothing_when_making_fails() -> None:
    def fail() -> int:
        raise ValueError

    kept: Recent[str, int] = Recent(2)
    with pytest.raises(ValueError):
        kept.get("a", fail)
    assert kept.get("a", lambda: 1) == 1
