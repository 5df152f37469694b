"""Secrets are named, never written down.

``env:NAME``, ``file:/path``, ``vault:<mount>/<path>#<field>``, ``ssm:<name>``,
``secretsmanager:<id>[#<field>]`` and ``keyring:<service>/<user>``.

A reference may follow one HTTP authentication scheme (RFC 9110, 11.1): ``Bearer env:API_TOKEN``.
``text:`` in front says that what follows is no reference (``text:file:./dev.db``).
"""

import re
from collections.abc import Callable
from typing import Literal, cast

import msgspec

Place = Literal["env", "file", "vault", "ssm", "secretsmanager", "keyring"]

LOCAL = frozenset({"env", "file"})
"""Places that are read without asking another program."""

_REFERENCE = re.compile(
    r"(?P<before>[A-Za-z][A-Za-z0-9-]* )?"
    r"(?P<place>env|file|vault|ssm|secretsmanager|keyring):(?P<name>.*)",
    re.S,
)
_STEP = r"(?!\.\.?(?:[/#]|$))[A-Za-z0-9_.@ +=-]*[A-Za-z0-9_.@+=-]"
_FIELD = r"[A-Za-z0-9_.@+=-]+"
_NAMES: dict[Place, tuple[re.Pattern[str], str]] = {
    "env": (
        re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)"),
        "the name of one environment variable",
    ),
    "file": (re.compile(r"(?P<name>[^\0]*\S[^\0]*)"), "a path"),
    "vault": (
        re.compile(rf"(?P<name>{_STEP}(?:/{_STEP})+)#(?P<field>{_FIELD})"),
        "<mount>/<path>#<field>",
    ),
    "ssm": (re.compile(r"(?P<name>/?[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*)"), "a parameter's name"),
    "secretsmanager": (
        re.compile(rf"(?P<name>[A-Za-z0-9/_+=.@:-]+)(?:#(?P<field>{_FIELD}))?"),
        "a secret's name or ARN, and #<field> for one of several in it",
    ),
    "keyring": (re.compile(r"(?P<name>[^\0\r\n]*[^\0\r\n/]/[^\0\r\n/]+)"), "<service>/<user>"),
}
"""What may follow each place."""
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
    r"|\bBearer +(?!env:|file:|vault:|ssm:|secretsmanager:|keyring:|\$)[A-Za-z0-9._~+/-]{8}"
    r"|[?&][a-z_-]*(api_?key|token|secret|password)=(?!\$)[^&]{4}",
    re.I,
)


class ReferenceBroken(Exception):
    """A secret cannot be had. The text says which and what to do; it never holds the secret."""


class Reference(msgspec.Struct, frozen=True):
    place: Place
    name: str
    """Variable, file path, ``mount/path``, parameter, secret or ``service/user``."""
    before: str = ""
    """Authentication scheme and a space, or empty."""
    field: str = ""
    """Which of several values that are kept under one name."""

    @property
    def bare(self) -> "Reference":
        """The secret alone, whatever stands before it where it is used."""
        return msgspec.structs.replace(self, before="")

    def __str__(self) -> str:
        field = f"#{self.field}" if self.field else ""
        return f"{self.before}{self.place}:{self.name}{field}"


def parse_reference(text: str) -> Reference | None:
    """The reference that ``text`` is, or None for plain text.

    Raises ``ReferenceBroken`` when it begins like one and names nothing usable.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None:
        return None
    place = cast("Place", found["place"])
    form, what = _NAMES[place]
    named = form.fullmatch(found["name"])
    if named is None:
        raise ReferenceBroken(f"{place}: must be followed by {what}")
    parts = named.groupdict()
    return Reference(place, parts["name"], found["before"] or "", parts.get("field") or "")


def resolve_reference(text: str, read: Callable[[Reference], str]) -> str:
    """What ``text`` stands for: the secret it names, or the text itself.

    ``read`` gives the secret, or raises ``ReferenceBroken``, as this does.
    """
    reference = parse_reference(text)
    if reference is None:
        return text.removeprefix("text:")
    secret = read(reference)
    if any(c in secret for c in "\r\n\0") and reference.before:
        raise ReferenceBroken(f"{reference.bare} holds more than one line")
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
