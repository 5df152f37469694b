import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.app.frames import (
    Ask,
    Connection,
    Done,
    Failed,
    Frame,
    Frames,
    Heard,
    Withdrawn,
    encode,
)

ONE_OF_EACH: list[Frame] = [
    Ask(1, "kind", b"body"), Heard(2, b"x"), Done(3, b""), Failed(4), Withdrawn(5),
]  # fmt: skip


@given(st.lists(st.integers(1, 40)))
def test_frames_come_out_as_they_went_in_however_they_are_cut(cuts: list[int]) -> None:
    stream, frames, found = b"".join(map(encode, ONE_OF_EACH)), Frames(), []
    for cut in cuts:
        found += list(frames.feed(stream[:cut]))
        stream = stream[cut:]
    assert [*found, *frames.feed(stream)] == ONE_OF_EACH


@pytest.mark.parametrize(
    "raw", [struct.pack(">I", 101), struct.pack(">I", 3) + b"abc", struct.pack(">I", 0)],
    ids=["too large", "garbage", "empty"],
)  # fmt: skip
def test_what_is_no_frame_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        list(Frames(most=100).feed(raw))


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self, unread: int = 0) -> None:
        super().__init__()
        self.written = b""
        self.closing = False
        self._unread = unread

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self._unread

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True

    def close(self) -> None:
        self.closing = True


def connected(wire: Wire) -> tuple[Connection, list[Frame], list[Connection]]:
    taken: list[Frame] = []
    lost: list[Connection] = []
    connection = Connection(lambda _, frame: taken.append(frame), lost.append)
    connection.connection_made(wire)
    return connection, taken, lost


def test_a_connection_sends_takes_and_tells_of_its_loss() -> None:
    wire = Wire()
    connection, taken, lost = connected(wire)
    assert connection.open
    connection.send(Failed(1))
    assert wire.written == encode(Failed(1))
    connection.data_received(encode(Failed(2)))
    assert taken == [Failed(2)]
    connection.connection_lost(None)
    connection.send(Failed(3))
    assert wire.written == encode(Failed(1))
    assert lost == [connection]
    assert not connection.open


def test_a_connection_ends_at_nonsense() -> None:
    wire = Wire()
    connection, _, _ = connected(wire)
    connection.data_received(b"\xff\xff\xff\xff nonsense")
    assert wire.closing


def test_who_does_not_read_is_left() -> None:
    wire = Wire(unread=2**32)
    connection, _, _ = connected(wire)
    connection.send(Failed(1))
    assert wire.closing
    connection.send(Failed(2))
    assert wire.written == encode(Failed(1))
