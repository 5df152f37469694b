"""Text for a terminal: what cannot be seen is shown escaped, so that nothing can hide or steer."""

import unicodedata


def visible(text: str) -> str:
    """``text`` with control, formatting and unusual space characters as ``\\u{...}``.

    Journal entries and configuration hold text that strangers chose: escape sequences could
    rewrite the screen, and bidirectional marks could reorder a command.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(c) for c in text)


def _visible(character: str) -> str:
    if character == " " or unicodedata.category(character)[0] not in "CZ":
        return character
    return f"\\u{{{ord(character):04x}}}"
