"""The level of log messages that a legacy upstream was asked for."""

import asyncio
from collections.abc import Awaitable, Callable

import orjson

from lockgate.upstream.declared import declared
from lockgate.upstream.link import Peer
from lockgate.wire.meta import LEVELS

SET_LEVEL = "logging/setLevel"


class LogLevel:
    """Of one session. It only ever goes down: each request's own level is applied to what comes."""

    def __init__(self, peer: Peer) -> None:
        self._known = peer.era == "legacy" and declared(peer.capabilities).logging
        self._set = len(LEVELS)
        self._turn = asyncio.Lock()

    async def reach(self, wanted: str, ask: Callable[[str, bytes], Awaitable[object]]) -> None:
        """Have the upstream send messages from ``wanted`` on, if it knows levels and does not yet.
        Empty: none are wanted. What it answers changes nothing."""
        if not wanted or not self._known or LEVELS.index(wanted) >= self._set:
            return
        async with self._turn:
            if LEVELS.index(wanted) < self._set:
                await ask(SET_LEVEL, orjson.dumps({"level": wanted}))
                self._set = LEVELS.index(wanted)
