"""What workers of one host say to each other: a length of four bytes, then MessagePack.

Every ask has a number of its own on its connection. It is answered once, or withdrawn; before the
answer, whoever works on it may be heard any number of times.
"""

import asyncio
import struct
from collections.abc import Callable, Iterator
from typing import TypeAlias, cast

import msgspec

MOST_BYTES = 2**31
"""Of one frame: twice the largest message that settings allow."""
MOST_UNREAD = 2**31
"""Bytes that a worker may leave unread before the connection to it is given up."""

_LENGTH = struct.Struct(">I")


class Ask(msgspec.Struct, frozen=True, array_like=True, tag=0):
    number: int
    kind: str
    body: bytes


class Heard(msgspec.Struct, frozen=True, array_like=True, tag=1):
    number: int
    body: bytes


class Done(msgspec.Struct, frozen=True, array_like=True, tag=2):
    number: int
    body: bytes


class Failed(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """The one who worked on it could not; why is in that worker's log."""

    number: int


class Withdrawn(msgspec.Struct, frozen=True, array_like=True, tag=4):
    number: int


Frame: TypeAlias = Ask | Heard | Done | Failed | Withdrawn

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Frame).decode


class Frames:
    """Splits a stream into frames. Raises ``ValueError`` for what is none."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._buffer)
            if size > self._most:
                raise ValueError(f"a frame of {size} bytes")
            end = _LENGTH.size + size
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield _decode(body)  # msgspec's errors are ValueErrors


def encode(frame: Frame) -> bytes:
    body = _encode(frame)
    return _LENGTH.pack(len(body)) + body


class Connection(asyncio.Protocol):
    """``take`` is told each frame, ``lost`` once that there will be no more."""

    def __init__(
        self, take: Callable[["Connection", Frame], None], lost: Callable[["Connection"], None]
    ) -> None:
        self._take = take
        self._lost = lost
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A stream is what was asked for; uvloop's does not say so of itself.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                self._take(self, frame)
        except ValueError:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        self._lost(self)

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, frame: Frame) -> None:
        """Never blocks. Dropped where the connection is gone: its loss tells."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(encode(frame))
        if self._transport.get_write_buffer_size() > MOST_UNREAD:
            self.abort()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
