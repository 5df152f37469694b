"""HTTP headers as ASGI gives them, and the text form MCP gives to values that do not fit one."""

import base64
import binascii
import re
from collections.abc import Iterable
from functools import lru_cache

from lockgate.wire.refusal import WireRefusal

PROTOCOL_VERSION = "mcp-protocol-version"
METHOD = "mcp-method"
NAME = "mcp-name"
SESSION = "mcp-session-id"
PARAM = "mcp-param-"

_SENTINEL = re.compile(r"=\?base64\?(.*)\?=", re.DOTALL)
_PLAIN = re.compile(r"[\x20-\x7e]*")


@lru_cache(maxsize=1024)
def _key(name: str) -> bytes:
    """The same few names are asked for in every request."""
    return name.lower().encode()


@lru_cache(maxsize=64)
def _keys(names: frozenset[str]) -> frozenset[bytes]:
    return frozenset(name.encode() for name in names)


class Headers:
    """Case-insensitive names, optional white space trimmed, repetitions kept.

    ``required``: those that mirror the body must be there. Those that are there must always agree.
    """

    __slots__ = ("_values", "required")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        values: dict[bytes, tuple[bytes, ...]] = {}
        for name, value in raw:
            key = name.lower()
            values[key] = (*values[key], value) if key in values else (value,)
        self._values = values
        self.required = True

    def optional(self) -> "Headers":
        """The same headers from a transport that mirrors nothing (stdio)."""
        found = Headers(())
        found._values, found.required = self._values, False
        return found

    def one(self, name: str) -> str | None:
        """The header's only value. Raises ``WireRefusal("wire.header-mismatch")`` when it was sent
        twice: whoever reads the first and whoever reads the last would disagree."""
        found = self._values.get(_key(name))
        if found is None:
            return None
        if len(found) > 1:
            raise WireRefusal("wire.header-mismatch", f"{name} was sent more than once")
        return found[0].decode("latin-1").strip(" \t")

    def all(self, name: str) -> list[str]:
        found = self._values.get(_key(name), ())
        return [value.decode("latin-1").strip(" \t") for value in found]

    def among(self, names: frozenset[str]) -> frozenset[str]:
        """Which of these, given in lower case, were sent."""
        keys = _keys(names)
        if keys.isdisjoint(self._values):
            return frozenset()
        return frozenset(key.decode() for key in keys & self._values.keys())

    def named(self, prefix: str) -> list[str]:
        """Names that begin with ``prefix``, lower-case, once each."""
        start = prefix.lower().encode()
        return [name.decode("latin-1") for name in self._values if name.startswith(start)]


def encode_value(text: str) -> str:
    """``text`` as a header value: itself, or ``=?base64?...?=`` where it would not survive
    (MCP 2026-07-28, "Streamable HTTP", header values)."""
    fits = _PLAIN.fullmatch(text) and text == text.strip(" ") and not _SENTINEL.fullmatch(text)
    if fits:
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def decode_value(value: str) -> str | None:
    """What ``encode_value`` was given. None for a sentinel that is not canonical base64 of UTF-8:
    such a value equals nothing."""
    match = _SENTINEL.fullmatch(value)
    if match is None:
        return value
    try:
        decoded = base64.b64decode(match[1], validate=True)
        if base64.b64encode(decoded).decode() != match[1]:
            return None
        return decoded.decode()
    except (binascii.Error, ValueError):
        return None
