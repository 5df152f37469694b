import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.upstream.lines import Endless, Line, Lines


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":{', 7),
        (b' { "id" : 7 , "result":', 7),
        (b'...}},"jsonrpc":"2.0","id":7}\r', 7),
        (b'...}, "id": 7, "jsonrpc": "2.0" }', 7),
        (b'{"jsonrpc":"2.0","result":{"a":1,"id":7}}', None),
        (b'{"result":{"a":"\\"id\\":7}', None),
        (b'{"jsonrpc":"2.0","id":"7","result":{}}', None),
        (b'{"jsonrpc":"2.0","id":-7,"result":{}}', None),
        (b'x{"jsonrpc":"2.0","id":7,"result":{}}', None),
        (b'{"jsonrpc":"2.0","id":' + b"7" * 99 + b',"result":{}}', None),
        (b"", None),
    ],
)
def test_an_id_counts_only_next_to_the_outermost_braces(text: bytes, number: int | None) -> None:
    assert Line(text).number == number


@given(st.lists(st.binary(max_size=1_500)), st.integers(1, 700))
def test_lines_come_whole_or_as_both_ends_however_they_are_cut(
    texts: list[bytes], step: int
) -> None:
    sent = b"\n".join([*texts, b""])
    lines = Lines(1_000, 10_000)
    got = [line for n in range(0, len(sent), step) for line in lines.feed(sent[n : n + step])]
    expected = [text for text in sent.split(b"\n") if len(text) > 1_000 or text.strip()]
    assert [line.whole for line in got] == [len(text) <= 1_000 for text in expected]
    for line, text in zip(got, expected, strict=True):
        assert line.text == (text if line.whole else text[:256] + text[-256:])


def test_a_line_without_end_is_not_waited_for() -> None:
    lines = Lines(1_000, 10_000)
    for _ in range(10):
        assert lines.feed(b"x" * 1_000) == []
    with pytest.raises(Endless):
        lines.feed(b"x")
