"""What is on its way to one client: notifications while the call runs, then the answer."""

import asyncio
from collections import deque


class Outbox:
    """Bounded. A client that does not read its notifications loses the oldest of them, never the
    answer; progress is advisory (MCP 2025-11-25, Progress)."""

    def __init__(self, most: int = 256) -> None:
        self._waiting: deque[bytes] = deque(maxlen=most)
        self._changed = asyncio.Event()

    def put(self, message: bytes) -> None:
        self._waiting.append(message)
        self._changed.set()

    def wake(self, _: object = None) -> None:
        """Something else worth looking at happened."""
        self._changed.set()

    def take(self) -> list[bytes]:
        taken = list(self._waiting)
        self._waiting.clear()
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
