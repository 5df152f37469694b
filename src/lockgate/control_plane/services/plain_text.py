"""Text for a terminal: what cannot be seen is shown escaped, so that nothing can hide or steer."""

from lockgate.model.unseen import unseen


def visible(text: str) -> str:
    """``text`` with all that is not seen (``model.unseen``) but ordinary spaces as ``\\u{...}``.

    Journal entries and configuration hold text that strangers chose: escape sequences could
    rewrite the screen, and bidirectional marks could reorder a command.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(c) for c in text)


def json_visible(text: str) -> str:
    """The same of JSON, which stays the same JSON: what is escaped stands within strings (RFC 8259,
    section 7)."""
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(c if c in " \n" or _is_seen(c) else _json_escape(c) for c in text)


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _is_seen(character: str) -> bool:
    return not unseen(character)


def _visible(character: str) -> str:
    if character == " " or _is_seen(character):
        return character
    return f"\\u{{{ord(character):04x}}}"
