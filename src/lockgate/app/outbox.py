"""What is on its way to one client: notifications while the call runs, then the answer."""

import asyncio
from collections import deque
from collections.abc import Callable

MOST_MESSAGES = 256
MOST_BYTES = 2**20


class Outbox:
    """Bounded. A client that does not read its notifications loses the oldest of them, never the
    answer; progress is advisory (MCP 2025-11-25, Progress)."""

    def __init__(self, most: int = MOST_MESSAGES, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._changed = False
        self._waiter: asyncio.Future[None] | None = None
        self._forward: Callable[[bytes], None] | None = None

    def put(self, message: bytes) -> None:
        if self._forward is not None:
            self._forward(message)
            return
        self._waiting.append(message)
        self._bytes += len(message)
        while self._waiting and (len(self._waiting) > self._most or self._bytes > self._most_bytes):
            self._bytes -= len(self._waiting.popleft())
        self.wake()

    def wake(self, _: object = None) -> None:
        """Something else worth looking at happened."""
        self._changed = True
        _settle(self._waiter)

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    def forward(self, put: Callable[[bytes], None]) -> None:
        """From now on all goes there: first what waits here."""
        for message in self.take():
            put(message)
        self._forward = put

    def take(self) -> list[bytes]:
        taken = list(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return taken

    async def changed(self, seconds: float) -> bool:
        """Wait until something changes; False when ``seconds`` passed without."""
        if not self._changed:
            # Not an Event in a timeout: every call waits here once.
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            late = loop.call_later(seconds, _settle, self._waiter)
            try:
                await self._waiter
            finally:
                late.cancel()
                self._waiter = None
        changed, self._changed = self._changed, False
        return changed


def _settle(waiter: "asyncio.Future[None] | None") -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
