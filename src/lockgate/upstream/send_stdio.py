"""Upstreams that are programs: MCP over their standard streams, in both eras."""

from contextlib import AsyncExitStack

from lockgate.model import Envelope, SendFailed, Tool
from lockgate.upstream.channel import Channel
from lockgate.upstream.child import Child, Tail
from lockgate.upstream.link import LinkReply, Peer, Progress
from lockgate.upstream.opening import (
    CAPABILITIES,
    CLIENT_INFO,
    INITIALIZED,
    EraMemory,
    asks_for_discover,
    discover_params,
    initialize_params,
    read_discover,
    read_initialize,
)
from lockgate.upstream.target import Bounds, Registered, StdioTarget
from lockgate.wire import bridge
from lockgate.wire.strict_json import Limits

SLACK = 2**16
"""Bytes a message may have around the reply itself."""


class StdioLink:
    """One running program that agreed on a version."""

    def __init__(self, channel: Channel, peer: Peer, seconds: float) -> None:
        self._channel = channel
        self._peer = peer
        self._seconds = seconds

    @property
    def peer(self) -> Peer:
        return self._peer

    @property
    def broken(self) -> bool:
        return self._channel.failure is not None

    async def request(
        self,
        method: str,
        params: bytes,
        *,
        tool: Tool | None = None,  # noqa: ARG002 - only HTTP mirrors arguments
        progress: Progress | None = None,
        envelope: Envelope,  # noqa: ARG002 - nothing of the client's is passed on yet
    ) -> LinkReply:
        """See ``Link.request``."""
        token = self._channel.new_token() if progress else ""
        answer = await self._channel.call(
            method,
            self._shape(params, token or None),
            seconds=self._seconds,
            token=token,
            progress=progress,
        )
        if answer.error is not None:
            return LinkReply(answer.error, is_error=True)
        return LinkReply(answer.result or b"{}")

    async def close(self) -> None:
        await self._channel.close()

    def _shape(self, params: bytes, token: str | None) -> bytes:
        return bridge.request_params(
            self._peer.era,
            params,
            client_info=CLIENT_INFO,
            capabilities=CAPABILITIES,
            progress=token,
        )


async def open_stdio(
    registered: Registered, target: StdioTarget, memory: EraMemory, tail: Tail
) -> StdioLink:
    """Start the program and agree on a version. Its era is probed once, then remembered.

    Raises ``SendFailed``.
    """
    start = _Start(registered, target, tail)
    try:
        channel, peer = await _agree(start, memory.recall(registered) or "unknown")
    except SendFailed:
        memory.forget(registered.name)
        raise
    memory.learn(registered, peer.era)
    return StdioLink(channel, peer, registered.bounds.call_seconds)


class _Start:
    """Starts the program anew as often as the opening needs it."""

    def __init__(self, registered: Registered, target: StdioTarget, tail: Tail) -> None:
        self.bounds = registered.bounds
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
            peer = await _discover(
                channel, bounds.connect_seconds if era == "modern" else bounds.probe_seconds
            )
        if peer is None and channel.failure is None:
            peer = await _initialize_slow(channel, start.bounds, era)
        if peer is None:
            # Some old servers end, or hang for good, on a method they do not know.
            channel = await start()
            undo.push_async_callback(channel.close)
            peer = await _initialize(channel, start.bounds.connect_seconds)
        undo.pop_all()
        return channel, peer


async def _initialize_slow(channel: Channel, bounds: Bounds, era: str) -> Peer | None:
    """Initialize the program that was probed: it may just be slow to start, and then even turn out
    to be modern. None where it hangs."""
    seconds = bounds.connect_seconds if era == "legacy" else 2 * bounds.probe_seconds
    try:
        return await _initialize(channel, min(seconds, bounds.connect_seconds))
    except SendFailed as failure:
        await channel.close()
        if era == "legacy" or failure.reason != "upstream.timeout":
            raise
        return None


async def _discover(channel: Channel, seconds: float) -> Peer | None:
    try:
        answer = await channel.call("server/discover", discover_params(), seconds=seconds)
    except SendFailed as failure:
        if failure.reason == "upstream.timeout":
            return None
        await channel.close()
        if failure.reason in ("upstream.crashed", "upstream.garbage"):
            return None
        raise
    return read_discover(answer)


async def _initialize(channel: Channel, seconds: float) -> Peer:
    answer = await channel.call("initialize", initialize_params(), seconds=seconds)
    if asks_for_discover(answer):
        peer = await _discover(channel, seconds)
        if peer is not None:
            return peer
    peer = read_initialize(answer)
    channel.notify(INITIALIZED, b"{}")
    return peer
