"""What joins one worker to the others of its host; for a worker that is alone, nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from lockgate.app.elsewhere import Peered
from lockgate.app.gateway import Gateway
from lockgate.app.peers import Hear, Peers
from lockgate.app.reload import Reloader
from lockgate.app.seat import Line, Seat
from lockgate.app.stamps import now_ms
from lockgate.app.streams import Streams
from lockgate.app.streams_elsewhere import StreamsElsewhere
from lockgate.app.wiring import Among, Plant
from lockgate.pipeline.merge import Seen
from lockgate.store.quota_shared import SharedBuckets
from lockgate.upstream.link import Event

EVENT, SHOWN, SET = "upstream.event", "list.shown", "session.set"

SET_SECONDS = 2.0
"""How long the answer to what a session sets waits for other workers to know of it."""

_read_shown = msgspec.msgpack.Decoder(Seen).decode
_read_event = msgspec.msgpack.Decoder(Event).decode


class Crew:
    """``host``: names this machine. ``line``: None for a worker that is alone."""

    def __init__(self, host: str, line: Line | None = None) -> None:
        """Raises ``StoreDown``."""
        self.peers: Peers | None = None
        self.among = Among(f"{host}.0")
        self._line = line
        if line is not None:
            self._sit_down(host, line.seat)

    def _sit_down(self, host: str, seat: Seat) -> None:
        nodes = [f"{host}.{index}" for index in range(seat.count)]
        folder = Path(seat.folder)
        self.peers = Peers(nodes[seat.index], nodes, folder)
        buckets = SharedBuckets(folder / "quota", seat.index, seat.count, now_ms)
        self.among = Among(self.peers.node, self.peers, buckets)

    async def join(
        self, plant: Plant, gateway: Gateway, streams: Streams, reloader: Reloader
    ) -> None:
        """Be there for the others. Raises ``OSError`` and ``StoreDown``."""
        await plant.quota.renew()
        plant.hear = gateway.hub.hear
        if self.peers is None:
            return
        gateway.elsewhere = Peered(self.peers, gateway)
        streams.relay = StreamsElsewhere(self.peers, gateway.hub.replay).follow
        plant.hear = to_all(self.peers, gateway.hub.hear)
        gateway.hub.changes.told = _to_others(self.peers, gateway.hub.changes.saw)
        gateway.hub.wishes.told = known_to_all(self.peers, gateway.hub.look)
        if plant.relay is not None:
            plant.relay.renew = _both(reloader.check, plant.watch.hurry)
            plant.relay.watch = gateway.inflight.watch
        await self.peers.start()

    @property
    def told(self) -> dict[str, int]:
        """For the health endpoint: which of several workers answers."""
        return {"worker": self._line.seat.index} if self._line is not None else {}

    async def drained(self) -> None:
        """Nothing of ours runs any more. Returns when that is so everywhere: until then others may
        need what is held here."""
        if self._line is not None:
            await self._line.drained()

    async def leave(self) -> None:
        if self.peers is not None:
            await self.peers.close()


def to_all(peers: Peers, hear: Callable[[Event], None]) -> Callable[[Event], None]:
    """What an upstream says to the one worker that holds its link is heard by all."""

    async def heard(body: bytes, _: Hear) -> bytes:
        hear(_read_event(body))
        return b""

    def told(event: Event) -> None:
        hear(event)
        peers.tell_all(EVENT, msgspec.msgpack.encode(event))

    peers.serve(EVENT, heard)
    return told


def known_to_all(
    peers: Peers, look: Callable[[str], Awaitable[None]]
) -> Callable[[str], Awaitable[None]]:
    """What a session sets here holds wherever its stream is, before its client is answered: nothing
    that happens from then on may be missed there."""

    async def heard(body: bytes, _: Hear) -> bytes:
        await look(body.decode())
        return b""

    async def told(session_id: str) -> None:
        telling = peers.tell_all(SET, session_id.encode())
        if telling:
            await asyncio.wait(telling, timeout=SET_SECONDS)

    peers.serve(SET, heard)
    return told


def _to_others(peers: Peers, saw: Callable[[Seen], None]) -> Callable[[Seen], None]:
    """What a client was shown here counts for its stream, wherever that is."""

    async def heard(body: bytes, _: Hear) -> bytes:
        saw(_read_shown(body))
        return b""

    def told(seen: Seen) -> None:
        peers.tell_all(SHOWN, msgspec.msgpack.encode(seen))

    peers.serve(SHOWN, heard)
    return told


def _both(
    first: Callable[[], Awaitable[None]], second: Callable[[], Awaitable[None]]
) -> Callable[[], Awaitable[None]]:
    async def both() -> None:
        await first()
        await second()

    return both
