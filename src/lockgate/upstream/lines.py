"""Lines from a program's output, and whom an unreadable one was for."""

import re

import msgspec

_KEPT = 256
"""Bytes of each end of a line over the limit. Its id is at one of them, or not found."""

_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"'
_ID = rb'"id"\s*:\s*([0-9]{1,15})'
_FIRST = re.compile(rb"\s*\{\s*(?:%b\s*,\s*)?%b\s*," % (_VERSION, _ID))
_LAST = re.compile(rb",\s*%b\s*(?:,\s*%b\s*)?\}\s*$" % (_ID, _VERSION))


class Line(msgspec.Struct, frozen=True):
    text: bytes
    """The whole line, or both ends of one over the limit."""
    whole: bool = True

    @property
    def number(self) -> int | None:
        """The JSON-RPC id, where it is one of ours and among the first or last members. What is
        next to the outermost braces cannot be said by a value inside."""
        found = _FIRST.match(self.text) or _LAST.search(self.text[-_KEPT:])
        return int(found[1]) if found else None


class Endless(Exception):
    """A line so far over the limit that waiting for its end is no use."""


class Lines:
    """Bytes in, split anywhere; lines out. A line over the limit is thrown away to its end."""

    def __init__(self, most: int, endless: int) -> None:
        self._most = most
        self._endless = endless
        self._parts: list[bytes] = []
        self._size = 0
        self._tail = b""

    def feed(self, chunk: bytes) -> list[Line]:
        """Without empty ones. Raises ``Endless``."""
        *complete, rest = chunk.split(b"\n")
        lines = []
        for piece in complete:
            self._grow(piece)
            line = self._take()
            if line.text.strip() or not line.whole:
                lines.append(line)
        self._grow(rest)
        if self._size > self._endless:
            raise Endless
        return lines

    def _grow(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= self._most:
            self._parts.append(piece)
            return
        if self._parts:
            kept = b"".join(self._parts)
            self._parts.clear()
        else:
            kept = self._tail
        self._tail = _ends(kept + piece)

    def _take(self) -> Line:
        whole = self._size <= self._most
        line = Line(b"".join(self._parts) if whole else self._tail, whole)
        self._parts.clear()
        self._size, self._tail = 0, b""
        return line


def _ends(text: bytes) -> bytes:
    return text if len(text) <= 2 * _KEPT else text[:_KEPT] + text[-_KEPT:]
