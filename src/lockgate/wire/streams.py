"""How messages follow each other: server-sent events (WHATWG HTML, section 9.2) and lines."""

import re

import msgspec

from lockgate.wire.refusal import WireRefusal

KEEP_ALIVE = b": keep-alive\n\n"
"""A comment: no event to any client, and enough to keep proxies from closing a silent stream."""

_EOL = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class SseEvent(msgspec.Struct, frozen=True):
    data: bytes
    id: str | None = None
    """The last id seen so far on this stream, in this event or before it."""
    event: str = "message"
    retry: int | None = None
    """Milliseconds, where this event sets them."""


class SseDecoder:
    """Bytes in, split anywhere; events out.

    Events without a ``data`` line are none, but what they say about ``id`` and ``retry`` counts:
    see ``last_id`` and ``retry``. After a refusal the decoder is spent.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self._max = max_event_bytes
        self._partial: list[bytes] = []
        self._size = 0
        self._data: list[bytes] = []
        self._event = ""
        self._retry: int | None = None
        self._after_cr = False
        self._first = True
        self._id: str | None = None
        self.last_id: str | None = None
        self.retry: int | None = None

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Raises ``WireRefusal("wire.too-large")`` when one event exceeds the limit."""
        if not chunk:
            return []
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
            if not chunk:
                return []
        self._after_cr = chunk.endswith(b"\r")
        *complete, rest = _EOL.split(chunk)
        events = []
        for piece in complete:
            self._grow(piece)
            line = b"".join(self._partial)
            self._partial.clear()
            event = self._take(line)
            if event is not None:
                events.append(event)
        self._grow(rest)
        return events

    def _grow(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._max:
            raise WireRefusal("wire.too-large", f"one event of more than {self._max} bytes")
        if piece:
            self._partial.append(piece)

    def _take(self, line: bytes) -> SseEvent | None:
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            return None
        # Only data is kept, so only data counts against the limit from here on.
        self._size -= len(line)
        if name == b"event":
            self._event = value.decode(errors="replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode(errors="replace")
        elif name == b"retry" and value.isdigit() and len(value) < 10:
            self._retry = self.retry = int(value)
        return None

    def _dispatch(self) -> SseEvent | None:
        found = None
        self.last_id = self._id  # only now: who resumes after it must have had the event whole
        if self._data:
            data = b"\n".join(self._data)
            found = SseEvent(data, self.last_id, self._event or "message", self._retry)
        self._data.clear()
        self._event, self._retry, self._size = "", None, 0
        return found


class LineDecoder:
    """Bytes in, split anywhere; lines out, without their ends and without empty ones.

    After a refusal the decoder is spent: it refuses everything that follows.
    """

    def __init__(self, max_line_bytes: int) -> None:
        self._max = max_line_bytes
        self._partial: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Raises ``WireRefusal("wire.too-large")`` when one line exceeds the limit."""
        *complete, rest = chunk.split(b"\n")
        lines = []
        for piece in complete:
            self._grow(piece)
            line = b"".join(self._partial).rstrip(b"\r")
            self._partial.clear()
            self._size = 0
            if line:
                lines.append(line)
        self._grow(rest)
        return lines

    def _grow(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._max:
            raise WireRefusal("wire.too-large", f"one line of more than {self._max} bytes")
        if piece:
            self._partial.append(piece)


def encode_event(data: bytes, id: str | None = None) -> bytes:
    """One message as an event. ``id`` must not hold line ends."""
    named = b"id: %b\n" % id.encode() if id is not None else b""
    lines = _EOL.split(data) if b"\n" in data or b"\r" in data else [data]
    return b"event: message\n" + named + b"".join(b"data: %b\n" % n for n in lines) + b"\n"


def encode_priming(id: str, retry_ms: int) -> bytes:
    """An event without a message: it names the place a client can come back to, and when
    (MCP 2025-11-25, "Transports", polling)."""
    return b"id: %b\nretry: %d\ndata: \n\n" % (id.encode(), retry_ms)


def encode_line(message: bytes) -> bytes:
    """One message as a line. In JSON raw line ends are white space, so a space stands in."""
    return message.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"
