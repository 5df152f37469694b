"""Decoders of streams: wherever a network cuts the bytes, the same comes out."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

from lockgate.upstream.lines import Endless, Lines
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.streams import LineDecoder, SseDecoder, encode_event, encode_line

_LONGEST = 100
_EVERYWHERE = 20
"""Streams up to this long are cut in two at every byte, longer ones at a few; all, byte by byte."""


class _Decoder(Protocol):
    def feed(self, chunk: bytes) -> list[Any]: ...


def server_sent_events(data: bytes) -> None:
    """The first byte chooses the limit; what follows is the stream."""
    most, stream = _limit(data)
    whole = _cuts_agree(stream, lambda: SseDecoder(most))
    if whole is None:
        return
    assert [(e.event, e.data, e.id) for e in whole] == list(_plainly(stream))
    for event in whole:
        if b"\r" not in event.data:
            again = SseDecoder(2**20).feed(encode_event(event.data))
            assert [e.data for e in again] == [event.data]


def message_lines(data: bytes) -> None:
    """``wire.streams.LineDecoder``."""
    most, stream = _limit(data)
    whole = _cuts_agree(stream, lambda: LineDecoder(most))
    if whole is None:
        return
    plain = [line.rstrip(b"\r") for line in stream.split(b"\n")[:-1]]
    assert whole == [line for line in plain if line]
    for line in whole:
        assert LineDecoder(2**20).feed(encode_line(line)) == [line.replace(b"\r", b" ")]


def program_lines(data: bytes) -> None:
    """``upstream.lines.Lines``, which throws long lines away but for their ends."""
    most, stream = _limit(data)
    # Whether a line is endless is asked after each piece, so it is another question.
    whole = _cuts_agree(stream, lambda: Lines(most, 2**30)) or []
    with suppress(Endless):
        Lines(most, 4 * most).feed(stream)
    for line in whole:
        assert line.number is None or 0 <= line.number < 10**15
        assert not line.whole or len(line.text) <= most


def _limit(data: bytes) -> tuple[int, bytes]:
    stream = data[1:_LONGEST]
    return (2**20, stream) if data[:1] > b"\x60" else (8 + sum(data[:1]), stream)


def _cuts_agree(stream: bytes, make: Callable[[], _Decoder]) -> list[Any] | None:
    """What comes out of the stream in one piece, after holding all ways to cut it against that.
    None: it is refused."""
    whole = _read(make(), [stream])
    step = 1 if len(stream) <= _EVERYWHERE else len(stream) // 4
    for at in range(sum(stream) % step, len(stream) + 1, step):
        assert _read(make(), [stream[:at], stream[at:]]) == whole, f"cut at {at}"
    single = [stream[i : i + 1] for i in range(len(stream))]
    assert _read(make(), single) == whole, "byte by byte"
    return whole[:-1] if whole is not None else None


def _read(decoder: _Decoder, chunks: list[bytes]) -> list[Any] | None:
    """The last element is what the decoder knows in the end."""
    found: list[Any] = []
    try:
        for chunk in chunks:
            found += decoder.feed(chunk)
    except WireRefusal:
        # What came before the refusal in the same piece is lost with the connection.
        return None
    return [*found, (getattr(decoder, "last_id", None), getattr(decoder, "retry", None))]


def _plainly(stream: bytes) -> Iterator[tuple[str, bytes, str | None]]:
    """WHATWG HTML, 9.2.6, over a whole stream: slow and simple."""
    lines = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")[:-1]
    data: list[bytes] = []
    kind, last = "", None
    for number, raw in enumerate(lines):
        line = raw.removeprefix(b"\xef\xbb\xbf") if number == 0 else raw
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if data:
                yield kind or "message", b"\n".join(data), last
            data, kind = [], ""
        elif field == b"data":
            data.append(value)
        elif field == b"event":
            kind = value.decode(errors="replace")
        elif field == b"id" and b"\0" not in value:
            last = value.decode(errors="replace")
