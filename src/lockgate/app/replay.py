"""What was said on a legacy stream, kept for a client that lost its connection and comes again
(MCP 2025-11-25, "Resumability and Redelivery"). Event ids are ours, never an upstream's."""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable

import msgspec

from lockgate.model import Session
from lockgate.pipeline.ports import Sealer
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.streams import encode_event, encode_priming

MOST_EVENTS = 512
MOST_BYTES = 2**20
"""Of one stream. Its newest event is kept whatever its size: it is an answer, or the next."""
MOST_STREAMS = 1_024
"""Of one worker."""
MOST_KEPT = 16 * 2**20
"""Bytes, over all streams of one worker."""
MOST_OF_ONE = 64
"""Streams of one principal that wait for their client to come back."""
LIFE_MS = 120_000
"""How long a stream waits for that."""
RETRY_MS = 1_000
"""When a client should come back (WHATWG HTML, section 9.2: ``retry``)."""

Clock = Callable[[], int]


class Place(msgspec.Struct, frozen=True):
    """Where an event id belongs. Sealed, so nobody makes one up or learns who else is here."""

    principal: str
    session: str
    node: str
    stream: str


class Track:
    """One stream's events in their order, and whoever follows it now."""

    def __init__(self, place: Place, token: str, version: str, ended: Callable[[], None]) -> None:
        self.place = place
        self.version = version
        self.follower: Follower | None = None
        self.left = 0
        """Since when (milliseconds) nobody follows it."""
        self.over = False
        """Nothing more will come."""
        self.bytes = 0
        self._token = token
        self._events: deque[tuple[int, bytes]] = deque()
        self._last = 0
        self._ended = ended

    def put(self, message: bytes) -> None:
        """The next event. Never blocks; of too many the oldest are forgotten."""
        if self.over:
            return
        self._last += 1
        self._events.append((self._last, message))
        self.bytes += len(message)
        while len(self._events) > MOST_EVENTS or (
            self.bytes > MOST_BYTES and len(self._events) > 1
        ):
            self.bytes -= len(self._events.popleft()[1])
        self._wake()

    def finish(self) -> None:
        self.over = True
        self._wake()

    def drop(self) -> None:
        """It is kept no longer: whoever follows it is sent away, and its owner is told."""
        self.finish()
        self._events.clear()
        self.bytes = 0
        self._ended()

    def follow(self, after: int | None = None) -> "Follower":
        """What comes after that event, from now on to this follower alone; None: from the start,
        with a priming event. Raises ``WireRefusal`` ``stream.gone`` where some of it is forgotten.
        """
        if after is not None and not self._last - len(self._events) <= after <= self._last:
            raise WireRefusal("stream.gone")
        if self.follower is not None:
            self.follower.replaced = True
            self._wake()
        self.follower = Follower(self, after or 0, primed=after is not None)
        return self.follower

    def since(self, seen: int) -> list[tuple[int, bytes]]:
        """What is kept of all that came after event number ``seen``."""
        return [event for event in self._events if event[0] > seen]

    def caught_up(self, seen: int) -> bool:
        return seen >= self._last

    def named(self, number: int) -> str:
        return f"{self._token}.{number}"

    def _wake(self) -> None:
        if self.follower is not None:
            self.follower.wake()


class Follower:
    """One connection's view of a track. Each event is taken once, in order."""

    def __init__(self, track: Track, seen: int, *, primed: bool) -> None:
        self.replaced = False
        """A later connection follows the track now."""
        self._track = track
        self._seen = seen
        # Before 2025-11-25 nobody knew events without data, and some clients fail at them.
        self._primed = primed or track.version < "2025-11-25"
        self._changed = asyncio.Event()

    @property
    def over(self) -> bool:
        return self.replaced or (self._track.over and self._track.caught_up(self._seen))

    def wake(self, _: object = None) -> None:
        self._changed.set()

    def take(self) -> bytes:
        """Everything new, as server-sent events; empty where there is nothing."""
        if self.replaced:
            return b""
        said = [] if self._primed else [encode_priming(self._track.named(0), RETRY_MS)]
        self._primed = True
        for number, message in self._track.since(self._seen):
            said.append(encode_event(message, self._track.named(number)))
            self._seen = number
        return b"".join(said)

    async def changed(self, seconds: float) -> bool:
        """Wait until something changes; False when ``seconds`` passed without."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    def leave(self, now_ms: int) -> None:
        """The connection ended; the track waits for the next."""
        if self._track.follower is self:
            self._track.follower = None
            self._track.left = now_ms


class Replay:
    """One worker's tracks. ``node``: this worker, as event ids name it. ``clock``: milliseconds."""

    def __init__(self, sealer: Sealer, node: str, clock: Clock) -> None:
        self.node = node
        self._sealer = sealer
        self._clock = clock
        self._tracks: dict[str, Track] = {}

    def open(self, session: Session, ended: Callable[[], None] = lambda: None) -> Track:
        """A new stream of this session. ``ended`` is called when it is kept no longer."""
        self._make_room(session.principal)
        place = Place(session.principal, session.id, self.node, secrets.token_hex(8))
        token = self._sealer.seal("event", msgspec.msgpack.encode(place))
        track = Track(place, token, session.version, ended)
        track.left = self._clock()
        self._tracks[place.stream] = track
        return track

    def read(self, event_id: str, session: Session) -> tuple[Place, int]:
        """Raises ``WireRefusal`` ``stream.gone`` for what was not sent to this very session."""
        place, number = self.place_of(event_id), event_id.rpartition(".")[2]
        mine = (place.principal, place.session) == (session.principal, session.id)
        if not mine or not number.isdecimal() or len(number) > _DIGITS:
            raise WireRefusal("stream.gone")
        return place, int(number)

    def place_of(self, event_id: str) -> Place:
        """Raises ``WireRefusal`` ``stream.gone`` for what is none of this deployment's ids."""
        value = self._sealer.open("event", event_id.rpartition(".")[0])
        if value is None:
            raise WireRefusal("stream.gone")
        return _read_place(value)

    def find(self, place: Place) -> Track:
        """Raises ``WireRefusal`` ``stream.gone`` for what is kept no longer."""
        track = self._tracks.get(place.stream)
        if track is None:
            raise WireRefusal("stream.gone")
        return track

    def sweep(self) -> None:
        """Forget what nobody came back for. Call it every few seconds."""
        late = self._clock() - LIFE_MS
        for track in [t for t in self._tracks.values() if t.follower is None and t.left < late]:
            self.forget(track)
        self.trim()

    def trim(self) -> None:
        """Forget the oldest of what is too much. Call it also when a follower has left."""
        kept = sum(track.bytes for track in self._tracks.values())
        for track in self._waiting() if kept > MOST_KEPT else ():
            kept -= track.bytes
            self.forget(track)
            if kept <= MOST_KEPT:
                return

    def end(self, session_id: str) -> None:
        """The session is over, and its streams with it."""
        for track in [t for t in self._tracks.values() if t.place.session == session_id]:
            self.forget(track)

    def forget(self, track: Track) -> None:
        if self._tracks.pop(track.place.stream, None) is not None:
            track.drop()

    @property
    def kept(self) -> int:
        return len(self._tracks)

    def _make_room(self, holder: str) -> None:
        mine = [t for t in self._waiting() if t.place.principal == holder]
        for track in mine[: max(0, len(mine) - MOST_OF_ONE + 1)]:
            self.forget(track)
        if len(self._tracks) >= MOST_STREAMS:
            for track in self._waiting()[:1]:
                self.forget(track)

    def _waiting(self) -> list[Track]:
        """Tracks that nobody follows, the oldest first."""
        return sorted(
            (t for t in self._tracks.values() if t.follower is None), key=lambda t: t.left
        )


_DIGITS = 12
_read_place = msgspec.msgpack.Decoder(Place).decode
