"""How long to wait before something that should stay open is opened again."""

import asyncio

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 60.0
STABLE_SECONDS = 30.0
"""What stayed open for as long has worked."""


class Pause:
    """Grows with each attempt that brings nothing."""

    def __init__(self, first: float = FIRST_SECONDS) -> None:
        self._first = self._next = first
        self._began = _now()

    def begin(self) -> None:
        """Another attempt."""
        self._began = _now()

    def worked(self) -> None:
        self._next = self._first

    def take(self, told_ms: int | None = None) -> float:
        """Seconds. ``told_ms``: the least the other side asks for."""
        if _now() - self._began >= STABLE_SECONDS:
            self.worked()
        now = max(self._next, (told_ms or 0) / 1000)
        self._next = min(2 * self._next, LONGEST_SECONDS)
        return min(now, LONGEST_SECONDS)


def _now() -> float:
    return asyncio.get_running_loop().time()
