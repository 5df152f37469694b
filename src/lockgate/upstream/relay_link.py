"""A link that another worker of this host holds, and what goes between the two."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from lockgate.model import Envelope, PeerGone, SendFailed, Terms, Tool
from lockgate.model.call import EraName
from lockgate.upstream.link import Hears, LinkReply, Peer

OPEN, REQUEST, ASK = "link.open", "link.request", "link.ask"


class Courier(Protocol):
    """Carries bytes between the workers of one host. Raises ``PeerGone``."""

    node: str

    def serve(
        self, kind: str, handler: Callable[[bytes, Callable[[bytes], None]], Awaitable[bytes]]
    ) -> None: ...

    async def ask(
        self, node: str, kind: str, body: bytes, heard: Callable[[bytes], None] = ...
    ) -> bytes: ...

    def owner(self, key: bytes) -> str: ...


class Where(msgspec.Struct, frozen=True):
    """Which link. ``fingerprint``: of the upstream as whoever asks knows it."""

    upstream: str
    fingerprint: str
    terms: Terms
    access: str = ""
    """A token for the upstream, lent by the worker that could have it."""
    expires: int = 0

    def __repr__(self) -> str:
        return f"Where({self.upstream!r}, {self.terms!r})"


class Wish(msgspec.Struct, frozen=True):
    """One request on its way to the owner."""

    where: Where
    node: str
    """Who asks; with ``number``, who is asked back."""
    number: int
    method: str
    params: bytes
    envelope: Envelope
    hears: bool


class Question(msgspec.Struct, frozen=True):
    """What the upstream asks of the client, on its way back."""

    number: int
    method: str
    params: bytes
    era: EraName


class Outcome(msgspec.Struct, frozen=True):
    """Of whatever was put to the owner: ``reason`` is empty where it succeeded."""

    said: bytes = b""
    is_error: bool = False
    reason: str = ""
    detail: str = ""
    told: str = ""
    broken: bool = False
    """The owner's link has ended."""


encode = msgspec.msgpack.Encoder().encode
read_where = msgspec.msgpack.Decoder(Where).decode
read_wish = msgspec.msgpack.Decoder(Wish).decode
read_question = msgspec.msgpack.Decoder(Question).decode
read_peer = msgspec.msgpack.Decoder(Peer).decode
_read_outcome = msgspec.msgpack.Decoder(Outcome).decode
_read_note = msgspec.msgpack.Decoder(tuple[str, bytes]).decode


class Home(Protocol):
    """The worker that uses a relayed link."""

    courier: Courier

    renew: Callable[[], Awaitable[None]]

    async def lent(self, where: Where, refused: str = "") -> Where:
        """With a token, where the owner cannot have its own; another one than ``refused``. Raises
        ``SendFailed``."""
        ...

    def hear(self, hears: Hears | None) -> int:
        """A number for one request, under which it may be asked something until ``forget``."""
        ...

    def forget(self, number: int) -> None: ...


class RelayLink:
    """Satisfies ``Link``. The owner's own link serves requests of all workers."""

    def __init__(self, home: Home, owner: str, where: Where, peer: Peer) -> None:
        self._home = home
        self._owner = owner
        self._where = where
        self._peer = peer
        self._broken = False
        self._refused = ""
        self._running: set[asyncio.Task[bytes]] = set()

    @property
    def peer(self) -> Peer:
        return self._peer

    @property
    def broken(self) -> bool:
        return self._broken

    @property
    def subscribed(self) -> frozenset[str]:
        """None of its own: the owner's link keeps them."""
        return frozenset()

    async def request(
        self,
        method: str,
        params: bytes,
        *,
        tool: Tool | None = None,  # noqa: ARG002 - only modern HTTP mirrors arguments
        hears: Hears | None = None,
        envelope: Envelope,
    ) -> LinkReply:
        """See ``Link.request``."""
        if self._broken:
            raise SendFailed("upstream.crashed", "closed by the gateway")
        where = await self._home.lent(self._where, self._refused)
        number, courier = self._home.hear(hears), self._home.courier
        wish = Wish(where, courier.node, number, method, params, envelope, hears is not None)
        noted = _noting(hears)
        asking = asyncio.ensure_future(courier.ask(self._owner, REQUEST, encode(wish), noted))
        self._running.add(asking)
        try:
            await asyncio.wait({asking})
        finally:
            asking.cancel()
            self._running.discard(asking)
            self._home.forget(number)
        try:
            return self._reply(asking, where)
        except SendFailed as failure:
            if failure.reason == "upstream.unavailable":
                await self._home.renew()  # perhaps it is this worker that is behind
            raise

    async def close(self) -> None:
        """The owner's link stays, for those who use it."""
        self._broken = True
        for asking in self._running:
            asking.cancel()

    def _reply(self, asking: "asyncio.Task[bytes]", where: Where) -> LinkReply:
        if asking.cancelled():
            raise SendFailed("upstream.crashed", "closed by the gateway")
        gone = asking.exception()
        if isinstance(gone, PeerGone):
            self._broken = True
            reason = "upstream.crashed" if gone.sent else "upstream.unreachable"
            raise SendFailed(reason, f"its worker: {gone}")
        outcome = _read_outcome(asking.result())
        self._broken = self._broken or outcome.broken
        if outcome.reason == "upstream.credential":
            # Not tried again here: nobody knows how far the request had come. The next one has it.
            self._refused = where.access
        if outcome.reason:
            raise SendFailed(outcome.reason, outcome.detail, outcome.told)
        return LinkReply(outcome.said, outcome.is_error)


class FarHears:
    """Satisfies ``Hears`` for a request that another worker has put to a link of ours."""

    def __init__(self, courier: Courier, wish: Wish, heard: Callable[[bytes], None]) -> None:
        self._courier = courier
        self._wish = wish
        self._heard = heard

    def note(self, method: str, params: bytes) -> None:
        self._heard(encode((method, params)))

    async def ask(self, method: str, params: bytes, era: EraName) -> LinkReply:
        """Raises ``SendFailed`` where whoever asked is gone."""
        question = Question(self._wish.number, method, params, era)
        try:
            said = await self._courier.ask(self._wish.node, ASK, encode(question))
        except PeerGone as gone:
            raise SendFailed("ask.nobody", str(gone)) from None
        outcome = outcome_of(said)
        return LinkReply(outcome.said, outcome.is_error)


def _noting(hears: Hears | None) -> Callable[[bytes], None]:
    def noted(body: bytes) -> None:
        if hears is not None:
            hears.note(*_read_note(body))

    return noted


def outcome_of(said: bytes) -> Outcome:
    """Raises ``SendFailed``."""
    outcome = _read_outcome(said)
    if outcome.reason:
        raise SendFailed(outcome.reason, outcome.detail, outcome.told)
    return outcome
