"""Secrets are named, never written down: ``env:NAME`` and ``file:/path``.

A reference may follow one HTTP authentication scheme (RFC 9110, 11.1): ``Bearer env:API_TOKEN``.
``text:`` in front says that what follows is no reference (``text:file:./dev.db``).
"""

import re
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

Place = Literal["env", "file"]

_REFERENCE = re.compile(
    r"(?P<before>[A-Za-z][A-Za-z0-9-]* )?(?P<place>env|file):(?P<name>.*)", re.S
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_NAME = re.compile(
    r"token|key|secret|passw|pwd|authorization|credential|cookie|(^|[_-])(pat|pin|auth)($|[_-])",
    re.I,
)
_NOT_SECRET_NAME = re.compile(r"([_-](file|path|dir|url|uri|id|name|type|mode)|parallelism)$", re.I)
_PLAINLY_PUBLIC = frozenset({"", "true", "false", "yes", "no", "on", "off", "0", "1", "none"})
_SECRET_VALUE = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{20}|github_pat_|glpat-|sk-[A-Za-z0-9_-]{16}|xox[abeprs]-"
    r"|AKIA[A-Z0-9]{12}|AIza[A-Za-z0-9_-]{30}|eyJ[A-Za-z0-9_-]{10,}\.eyJ|lg[ps]_[a-z2-7]{12}_"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@"
    r"|\bBearer +(?!env:|file:|\$)[A-Za-z0-9._~+/-]{8}"
    r"|[?&][a-z_-]*(api_?key|token|secret|password)=(?!\$)[^&]{4}",
    re.I,
)


class ReferenceBroken(Exception):
    """A secret cannot be had. The text says which and what to do; it never holds the secret."""


class Reference(msgspec.Struct, frozen=True):
    place: Place
    name: str
    """Variable name or file path."""
    before: str = ""
    """Authentication scheme and a space, or empty."""

    def __str__(self) -> str:
        return f"{self.before}{self.place}:{self.name}"


def parse_reference(text: str) -> Reference | None:
    """The reference that ``text`` is, or None for plain text.

    Raises ``ReferenceBroken`` when it begins like one and names nothing usable.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None:
        return None
    place: Place = "env" if found["place"] == "env" else "file"
    name, before = found["name"], found["before"] or ""
    if place == "env" and not _VARIABLE.fullmatch(name):
        raise ReferenceBroken("env: must be followed by the name of one environment variable")
    if place == "file" and (not name.strip() or "\0" in name):
        raise ReferenceBroken("file: must be followed by a path")
    return Reference(place, name, before)


def resolve_reference(
    text: str, environ: Mapping[str, str], read_file: Callable[[str], str]
) -> str:
    """What ``text`` stands for: the named secret, or the text itself.

    ``read_file`` may raise ``OSError`` or ``UnicodeDecodeError``. One line end at the end of a
    file is not part of the secret. Raises ``ReferenceBroken``.
    """
    reference = parse_reference(text)
    if reference is None:
        return text.removeprefix("text:")
    secret = _read(reference, environ, read_file)
    if not secret:
        raise ReferenceBroken(f"{reference.place}:{reference.name} is empty; put the secret there")
    if any(c in secret for c in "\r\n\0") and reference.before:
        raise ReferenceBroken(f"{reference.place}:{reference.name} holds more than one line")
    return reference.before + secret


def looks_secret(name: str, value: str) -> bool:
    """Whether ``value``, called ``name``, had better be given by reference."""
    if looks_secret_value(value):
        return True
    if value.lower() in _PLAINLY_PUBLIC or _NOT_SECRET_NAME.search(name):
        return False
    return _SECRET_NAME.search(name) is not None


def looks_secret_value(value: str) -> bool:
    """Whether ``value`` gives itself away: a known token form, or a password in a URL."""
    return _SECRET_VALUE.search(value) is not None


def _read(reference: Reference, environ: Mapping[str, str], read_file: Callable[[str], str]) -> str:
    if reference.place == "env":
        if reference.name not in environ:
            raise ReferenceBroken(
                f"the environment variable {reference.name} is not set; set it for the gateway"
            )
        return environ[reference.name]
    try:
        return read_file(reference.name).removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ReferenceBroken(f"the file {reference.name} cannot be read ({why})") from error
