from hypothesis import given
from hypothesis import strategies as st

from lockgate.control_plane.services.plain_text import visible


def test_ordinary_text_stays() -> None:
    assert visible("npx -y Grüße 日本") == "npx -y Grüße 日本"


def test_what_steers_a_terminal_or_reorders_text_is_shown() -> None:
    assert visible("a\x1b[2Jb") == "a\\u{001b}[2Jb"
    assert visible("a\u202eb") == "a\\u{202e}b"
    assert visible("a\u00a0\u200bb\n") == "a\\u{00a0}\\u{200b}b\\u{000a}"


@given(st.text())
def test_the_result_is_always_printable(text: str) -> None:
    assert visible(text).isprintable()
