import json

from hypothesis import given
from hypothesis import strategies as st

from lockgate.control_plane.services.plain_text import json_visible, visible


def test_ordinary_text_stays() -> None:
    assert visible("npx -y Grüße 日本") == "npx -y Grüße 日本"


def test_what_steers_a_terminal_or_reorders_text_is_shown() -> None:
    assert visible("a\x1b[2Jb") == "a\\u{001b}[2Jb"
    assert visible("a\u202eb") == "a\\u{202e}b"
    assert visible("a\u00a0\u200bb\n") == "a\\u{00a0}\\u{200b}b\\u{000a}"


def test_letters_that_are_drawn_as_nothing_are_shown() -> None:
    assert visible("a\u3164b\ufe01\U000e0101") == "a\\u{3164}b\\u{fe01}\\u{e0101}"


@given(st.text())
def test_the_result_is_always_printable(text: str) -> None:
    assert visible(text).isprintable()


@given(st.text())
def test_json_stays_the_same_and_is_printable(text: str) -> None:
    said = json_visible(json.dumps({"it": text}, ensure_ascii=False, indent=2))
    assert json.loads(said) == {"it": text}
    assert said.replace("\n", "").isprintable()


def test_json_shows_what_steers() -> None:
    assert json_visible('"\x7f\u202e\x9b\U000e0041é"') == '"\\u007f\\u202e\\u009b\\udb40\\udc41é"'
