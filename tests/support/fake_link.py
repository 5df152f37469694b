"""A link that answers from a script, for what stands above links."""

import asyncio
from collections.abc import Callable

from lockgate.model import Envelope, SendFailed, Tool
from lockgate.upstream.link import LinkReply, Peer, Progress

Answering = Callable[[str, bytes], LinkReply]


class FakeLink:
    """Keeps what it was asked. ``hold`` makes requests wait until it is set."""

    def __init__(self, answer: Answering = lambda _method, _params: LinkReply(b"{}")) -> None:
        self.peer = Peer("modern", "2026-07-28")
        self.broken = False
        self.ended = asyncio.Event()
        self.asked: list[tuple[str, bytes, Tool | None]] = []
        self.progress: Progress | None = None
        self.asking = asyncio.Event()
        self.hold: asyncio.Event | None = None
        self._answer = answer

    async def request(
        self,
        method: str,
        params: bytes,
        *,
        tool: Tool | None = None,
        progress: Progress | None = None,
        envelope: Envelope,
    ) -> LinkReply:
        self.asked.append((method, params, tool))
        self.progress = progress
        self.asking.set()
        if self.hold:
            await self.hold.wait()
        if progress:
            progress("notifications/progress", b'{"progress":1}')
        return self._answer(method, params)

    @property
    def closed(self) -> bool:
        return self.ended.is_set()

    async def close(self) -> None:
        self.broken = True
        self.ended.set()

    def fail(self, reason: str) -> None:
        """From now on, as a link that ended."""

        def refuse(_method: str, _params: bytes) -> LinkReply:
            raise SendFailed(reason)

        self.broken = True
        self._answer = refuse
