from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.wire.refusal import WireRefusal
from lockgate.wire.streams import (
    KEEP_ALIVE,
    LineDecoder,
    SseDecoder,
    SseEvent,
    encode_event,
    encode_line,
    encode_priming,
)

STREAM = (
    b"\xef\xbb\xbf: hello\r\nid: 7\r\nretry: 250\r\ndata: one\r\ndata:two\r\n\r\n"
    b"event: ping\rdata\r\r"
    b"data:  spaced\nunknown: x\n\n: comment\n\n"
    b"id: 8\n\ndata: last\n\ndata: cut off"
)
EVENTS = [
    SseEvent(b"one\ntwo", "7", "message", 250),
    SseEvent(b"", "7", "ping"),
    SseEvent(b" spaced", "7"),
    SseEvent(b"last", "8"),
]


def split(stream: bytes, *cuts: int) -> list[bytes]:
    at = [0, *sorted(cuts), len(stream)]
    return [stream[a:b] for a, b in pairwise(at)]


def events(chunks: list[bytes], limit: int = 1000) -> list[SseEvent]:
    decoder = SseDecoder(limit)
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def test_a_stream_in_one_piece() -> None:
    assert events([STREAM]) == EVENTS


@pytest.mark.parametrize("cut", range(len(STREAM)))
def test_a_stream_cut_at_every_byte(cut: int) -> None:
    assert events(split(STREAM, cut)) == EVENTS


def test_a_stream_byte_by_byte() -> None:
    assert events([bytes([b]) for b in STREAM]) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_a_stream_cut_anywhere(cuts: list[int]) -> None:
    assert events(split(STREAM, *cuts)) == EVENTS


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("cut", range(18))
def test_all_line_ends_mean_the_same(end: bytes, cut: int) -> None:
    stream = end.join([b"data: a", b"data: b", b"", b""])
    assert events(split(stream, cut)) == [SseEvent(b"a\nb")]


def test_what_is_not_an_event_still_counts() -> None:
    decoder = SseDecoder(100)
    assert decoder.feed(b"id: 5\nretry: 10\n\n") == []
    assert (decoder.last_id, decoder.retry) == ("5", 10)
    assert decoder.feed(b"id: a\0b\nretry: 1x\ndata: x\n\n") == [SseEvent(b"x", "5")]


def test_one_event_has_a_limit_and_a_stream_has_none() -> None:
    assert len(events([b"data: 1234\n\n"] * 50, limit=10)) == 50
    assert events([KEEP_ALIVE] * 50 + [b": x\n" * 50], limit=20) == []
    for stream in (b"data: 12345\n\n", b": no end to this", b"data: 1\ndata: 2\n\n"):
        with pytest.raises(WireRefusal) as caught:
            events([bytes([b]) for b in stream], limit=10)
        assert caught.value.reason == "wire.too-large"


@given(st.binary().map(lambda b: b.replace(b"\r", b"")), st.none() | st.just("id_1"))
def test_what_is_encoded_is_decoded(data: bytes, id: str | None) -> None:
    stream = KEEP_ALIVE + encode_event(data, id)
    assert events([stream], limit=10**6) == [SseEvent(data, id)]


@given(st.lists(st.binary(min_size=1).map(lambda b: encode_line(b).strip()), max_size=5),
       st.lists(st.integers(0, 200), max_size=5))  # fmt: skip
def test_lines_survive_any_cut(messages: list[bytes], cuts: list[int]) -> None:
    kept = [m for m in messages if m.rstrip(b"\r")]
    stream = b"\r\n".join(kept) + b"\r\n\n" if kept else b""
    decoder = LineDecoder(10**6)
    pieces = split(stream, *(min(c, len(stream)) for c in cuts))
    assert [line for piece in pieces for line in decoder.feed(piece)] == kept


def test_a_line_has_a_limit_and_a_refused_decoder_is_spent() -> None:
    decoder = LineDecoder(4)
    assert decoder.feed(b"1234\n1234\n12") == [b"1234", b"1234"]
    for chunk in (b"345", b"\n1\n"):
        with pytest.raises(WireRefusal) as caught:
            decoder.feed(chunk)
        assert caught.value.reason == "wire.too-large"


def test_pretty_json_becomes_one_line_and_one_event() -> None:
    pretty = b'{\r\n  "a": 1\n}'
    assert encode_line(pretty) == b'{    "a": 1 }\n'
    assert events([encode_event(pretty)]) == [SseEvent(b'{\n  "a": 1\n}')]


def test_a_priming_event_names_a_place_and_says_nothing() -> None:
    (event,) = SseDecoder(100).feed(encode_priming("a.0", 1_000))
    assert (event.data, event.id, event.retry) == (b"", "a.0", 1_000)
