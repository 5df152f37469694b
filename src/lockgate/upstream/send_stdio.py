"""Upstreams that are programs: MCP over their standard streams, in both eras."""

from contextlib import AsyncExitStack

from lockgate.model import Envelope, SendFailed, Terms, Tool
from lockgate.upstream.channel import Channel
from lockgate.upstream.child import Child, Tail
from lockgate.upstream.deadline import Deadline
from lockgate.upstream.declared import declared
from lockgate.upstream.link import Hears, LinkReply, Peer
from lockgate.upstream.listen import LISTEN, WATCH, Listen, subscribed
from lockgate.upstream.log_level import LogLevel
from lockgate.upstream.opening import (
    CLIENT_INFO,
    INITIALIZED,
    EraMemory,
    asks_for_discover,
    discover_params,
    initialize_params,
    preferred_era,
    read_discover,
    read_initialize,
    speaking,
)
from lockgate.upstream.target import Registered, StdioTarget
from lockgate.upstream.traffic import Held, Traffic
from lockgate.wire import bridge
from lockgate.wire.jsonrpc import Message
from lockgate.wire.strict_json import Limits

SLACK = 2**16
"""Bytes a message may have around the reply itself."""


class StdioLink:
    """One running program that agreed on a version."""

    def __init__(self, channel: Channel, peer: Peer, held: Held, seconds: float) -> None:
        self._channel = channel
        self._peer = peer
        self._seconds = seconds
        self._held = held
        self._traffic = Traffic(held, peer, channel.post)
        self._level = LogLevel(peer)
        self._uris: frozenset[str] = frozenset()
        self._listen = None
        if peer.era == "modern":
            told = declared(peer.capabilities)
            self._listen = Listen(held, told, channel.new_id, self._ask_listen)
            self._listen.start()
        channel.hear = self._hear

    @property
    def peer(self) -> Peer:
        return self._peer

    @property
    def broken(self) -> bool:
        return self._channel.failure is not None

    @property
    def subscribed(self) -> frozenset[str]:
        return self._listen.uris if self._listen else self._uris

    async def request(
        self,
        method: str,
        params: bytes,
        *,
        tool: Tool | None = None,  # noqa: ARG002 - only HTTP mirrors arguments
        hears: Hears | None = None,
        envelope: Envelope,
    ) -> LinkReply:
        """See ``Link.request``."""
        if self._listen and method in WATCH:
            return await self._listen.request(method, params)
        if hears:
            await self._level.reach(envelope.log_level, self._set_level)
        number, deadline = self._channel.new_id(), Deadline(self._seconds)
        shaped = bridge.request_params(
            self._peer.era,
            params,
            envelope,
            client_info=CLIENT_INFO,
            progress=number if hears and envelope.progress else None,
        )
        with self._traffic.request(number, hears, envelope, deadline):
            answer = await self._channel.ask(number, method, shaped, deadline)
        reply = _reply(answer)
        self._uris = subscribed(self._uris, method, params, reply)
        return reply

    async def close(self) -> None:
        if self._listen:
            self._listen.stop()
        await self._channel.close()

    def _hear(self, message: Message) -> None:
        if not (self._listen and self._listen.hear(message)):
            self._traffic.hear(message)

    async def _ask_listen(self, number: int, params: bytes) -> LinkReply:
        said = speaking(self._held.terms)
        shaped = bridge.request_params(
            "modern", params, said, client_info=CLIENT_INFO, progress=None
        )
        return _reply(await self._channel.ask(number, LISTEN, shaped, Deadline()))

    async def _set_level(self, method: str, params: bytes) -> None:
        await self._channel.call(method, params, seconds=self._seconds)


def _reply(answer: Message) -> LinkReply:
    if answer.error is not None:
        return LinkReply(answer.error, is_error=True)
    return LinkReply(answer.result or b"{}")


async def open_stdio(
    registered: Registered, held: Held, target: StdioTarget, memory: EraMemory, tail: Tail
) -> StdioLink:
    """Start the program and agree on a version. Its era is probed once, then remembered.

    Raises ``SendFailed``.
    """
    start = _Start(registered, held.terms, target, tail)
    known = memory.recall(registered, held.terms)
    wished = preferred_era(held.terms)
    try:
        channel, peer = await _agree(start, known or wished or "unknown")
    except SendFailed as failure:
        memory.forget(registered.name)
        if known or wished is None or failure.reason != "upstream.garbage":
            raise
        channel, peer = await _agree(start, "unknown")  # it takes no initialize
    memory.learn(registered, peer.era, held.terms)
    return StdioLink(channel, peer, held, registered.bounds.call_seconds)


class _Start:
    """Starts the program anew as often as the opening needs it."""

    def __init__(
        self, registered: Registered, terms: Terms, target: StdioTarget, tail: Tail
    ) -> None:
        self.bounds = registered.bounds
        self.terms = terms
        self._target = target
        self._tail = tail

    async def __call__(self) -> Channel:
        bounds = self.bounds
        child = await Child.start(self._target, grace=bounds.grace_seconds, tail=self._tail)
        return Channel(child, Limits(bytes=bounds.reply_bytes + SLACK))


async def _agree(start: _Start, era: str) -> tuple[Channel, Peer]:
    async with AsyncExitStack() as undo:
        channel = await start()
        undo.push_async_callback(channel.close)
        peer = None
        if era != "legacy":
            bounds = start.bounds
            seconds = bounds.connect_seconds if era == "modern" else bounds.probe_seconds
            peer = await _discover(channel, start.terms, seconds)
        if peer is None and channel.failure is None:
            peer = await _initialize_slow(channel, start, era)
        if peer is None:
            # Some old servers end, or hang for good, on a method they do not know.
            channel = await start()
            undo.push_async_callback(channel.close)
            peer = await _initialize(channel, start.terms, start.bounds.connect_seconds)
        undo.pop_all()
        return channel, peer


async def _initialize_slow(channel: Channel, start: _Start, era: str) -> Peer | None:
    """Initialize the program that was probed: it may just be slow to start, and then even turn out
    to be modern. None where it hangs, or ends of the probe only now."""
    bounds = start.bounds
    seconds = bounds.connect_seconds if era == "legacy" else 2 * bounds.probe_seconds
    try:
        return await _initialize(channel, start.terms, min(seconds, bounds.connect_seconds))
    except SendFailed as failure:
        await channel.close()
        if era == "legacy" or failure.reason not in ("upstream.timeout", "upstream.crashed"):
            raise
        return None


async def _discover(channel: Channel, terms: Terms, seconds: float) -> Peer | None:
    try:
        answer = await channel.call("server/discover", discover_params(terms), seconds=seconds)
        if asks_for_discover(answer):  # It refused a version, and takes the one that we speak.
            answer = await channel.call("server/discover", discover_params(terms), seconds=seconds)
    except SendFailed as failure:
        if failure.reason == "upstream.timeout":
            return None
        await channel.close()
        if failure.reason in ("upstream.crashed", "upstream.garbage"):
            return None
        raise
    return read_discover(answer)


async def _initialize(channel: Channel, terms: Terms, seconds: float) -> Peer:
    answer = await channel.call("initialize", initialize_params(terms), seconds=seconds)
    if asks_for_discover(answer):
        peer = await _discover(channel, terms, seconds)
        if peer is not None:
            return peer
    peer = read_initialize(answer)
    channel.notify(INITIALIZED, b"{}")
    return peer
