"""What is on its way to one client: notifications while the call runs, then the answer."""

import asyncio
from collections import deque

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
        self._changed = asyncio.Event()

    def put(self, message: bytes) -> None:
        self._waiting.append(message)
        self._bytes += len(message)
        while self._waiting and (len(self._waiting) > self._most or self._bytes > self._most_bytes):
            self._bytes -= len(self._waiting.popleft())
        self._changed.set()

    def wake(self, _: object = None) -> None:
        """Something else worth looking at happened."""
        self._changed.set()

    def take(self) -> list[bytes]:
        taken = list(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return taken

    async def changed(self, seconds: float) -> bool:
        """Wait until something changes; False when ``seconds`` passed without."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True
