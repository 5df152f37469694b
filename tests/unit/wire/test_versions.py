import pytest

from lockgate.wire import versions


@pytest.mark.parametrize(
    ("requested", "spoken"),
    [
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2025-03-26", "2025-11-25"),
        ("2024-11-05", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("nonsense", "2025-11-25"),
    ],
)
def test_what_we_do_not_speak_gets_a_counter_offer(requested: str, spoken: str) -> None:
    assert versions.negotiate(requested) == spoken


def test_later_versions_are_modern_and_nonsense_is_not() -> None:
    assert versions.is_modern("2026-07-28")
    assert versions.is_modern("2031-01-01")
    assert not versions.is_modern("2025-11-25")
    assert not versions.is_modern("9")


def test_the_refusal_says_what_would_do() -> None:
    refusal = versions.unsupported("2031-01-01")
    assert refusal.data == {
        "supported": ["2026-07-28", "2025-11-25", "2025-06-18"],
        "requested": "2031-01-01",
    }
