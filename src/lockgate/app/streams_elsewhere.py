"""Resuming a stream that another worker keeps (MCP 2025-11-25, "Resumability and Redelivery")."""

import asyncio

import msgspec

from lockgate.app.peers import Hear, Peers
from lockgate.app.replay import Place, Replay
from lockgate.app.stamps import now_ms
from lockgate.model import PeerGone
from lockgate.wire.refusal import WireRefusal

FOLLOW = "stream.follow"
WAIT_SECONDS = 5.0


class _Wish(msgspec.Struct, frozen=True):
    place: Place
    after: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Wish).decode


class StreamsElsewhere:
    """Follows what other workers keep, and lets them follow what is kept here."""

    def __init__(self, peers: Peers, replay: Replay) -> None:
        self._peers = peers
        self._replay = replay
        peers.serve(FOLLOW, self._serve)

    async def follow(self, place: Place, after: int) -> "FarFollower | None":
        """None where that worker cannot be reached. Raises ``WireRefusal`` ``stream.gone``."""
        follower = FarFollower()
        asking = asyncio.ensure_future(
            self._peers.ask(place.node, FOLLOW, _encode(_Wish(place, after)), follower.hear)
        )
        follower.asking = asking
        asking.add_done_callback(follower.ended)
        try:
            await follower.begun()
        except asyncio.CancelledError:
            asking.cancel()
            raise
        if follower.accepted:
            return follower
        if asking.cancelled() or isinstance(asking.exception(), PeerGone):
            return None
        raise WireRefusal("stream.gone")

    async def _serve(self, body: bytes, heard: Hear) -> bytes:
        wish = _decode(body)
        try:
            follower = self._replay.find(wish.place).follow(wish.after)
        except WireRefusal:
            return b""
        heard(b"")  # it is here
        try:
            while True:
                said = follower.take()
                if said:
                    heard(said)
                if follower.over:
                    return b""
                await follower.changed(WAIT_SECONDS)
        finally:
            follower.leave(now_ms())
            self._replay.trim()


class FarFollower:
    """Satisfies ``streams.Following`` for a stream that another worker keeps."""

    def __init__(self) -> None:
        self.accepted = False
        self.asking: asyncio.Future[bytes] | None = None
        self._said: list[bytes] = []
        self._changed = asyncio.Event()

    def hear(self, said: bytes) -> None:
        self.accepted = True
        self._said.append(said)
        self._changed.set()

    def ended(self, asking: "asyncio.Future[bytes]") -> None:
        """Also where the other worker was lost: its client comes again, and is told then."""
        if not asking.cancelled():
            asking.exception()
        self._changed.set()

    async def begun(self) -> None:
        """Returns when it is known whether it can be followed."""
        while not self.accepted and self.asking is not None and not self.asking.done():
            await self._changed.wait()
            self._changed.clear()

    @property
    def over(self) -> bool:
        return self.asking is not None and self.asking.done() and not any(self._said)

    def wake(self, _: object = None) -> None:
        self._changed.set()

    def take(self) -> bytes:
        said = b"".join(self._said)
        self._said.clear()
        return said

    async def changed(self, seconds: float) -> bool:
        """As ``Follower.changed``."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    def leave(self, now_ms: int) -> None:  # noqa: ARG002 - the other worker reads its own clock
        if self.asking is not None:
            self.asking.cancel()
