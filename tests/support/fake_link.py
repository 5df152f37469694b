"""A link that answers from a script, for what stands above links; and who hears, for links."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from lockgate.model import Envelope, SendFailed, Tool
from lockgate.model.call import EraName
from lockgate.upstream.link import Hears, LinkReply, Peer


class Ear:
    """Keeps what it hears, and answers what it is asked: at once, or when ``hold`` is set."""

    def __init__(self, answer: LinkReply = LinkReply(b'{"roots":[]}')) -> None:  # noqa: B008
        self.notes: list[tuple[str, Any]] = []
        self.asks: list[tuple[str, Any, EraName]] = []
        self.asked = asyncio.Event()
        self.hold: asyncio.Event | None = None
        self.withdrawn = asyncio.Event()
        self._answer = answer

    def note(self, method: str, params: bytes) -> None:
        self.notes.append((method, json.loads(params)))

    async def ask(self, method: str, params: bytes, era: EraName) -> LinkReply:
        self.asks.append((method, json.loads(params), era))
        self.asked.set()
        try:
            if self.hold:
                await self.hold.wait()
        except asyncio.CancelledError:
            self.withdrawn.set()
            raise
        return self._answer


Answering = Callable[[str, bytes], LinkReply]


class FakeLink:
    """Keeps what it was asked. ``hold`` makes requests wait until it is set."""

    def __init__(self, answer: Answering = lambda _method, _params: LinkReply(b"{}")) -> None:
        self.peer = Peer("modern", "2026-07-28")
        self.broken = False
        self.subscribed: frozenset[str] = frozenset()
        self.ended = asyncio.Event()
        self.asked: list[tuple[str, bytes, Tool | None]] = []
        self.hears: Hears | None = None
        self.asking = asyncio.Event()
        self.hold: asyncio.Event | None = None
        self._answer = answer

    async def request(
        self,
        method: str,
        params: bytes,
        *,
        tool: Tool | None = None,
        hears: Hears | None = None,
        envelope: Envelope,
    ) -> LinkReply:
        self.asked.append((method, params, tool))
        self.hears = hears
        self.asking.set()
        if self.hold:
            await self.hold.wait()
        if hears:
            hears.note("notifications/progress", b'{"progress":1}')
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
