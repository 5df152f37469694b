"""How long a request may take, leaving out the time in which a person is asked."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager


class Deadline:
    """``asyncio.timeout`` that can be paused. Entered once; raises ``TimeoutError`` on leaving.
    Without ``seconds`` it comes only if it is told to."""

    def __init__(self, seconds: float = math.inf) -> None:
        self.seconds = seconds
        self._timeout = asyncio.Timeout(None)
        self._left = seconds
        self._pauses = 0
        self._ticking = False

    async def __aenter__(self) -> "Deadline":
        await self._timeout.__aenter__()
        self._ticking = True
        self._go_on(self.seconds)
        return self

    async def __aexit__(self, *raised: object) -> None:
        self._ticking = False
        await self._timeout.__aexit__(*raised)  # type: ignore[arg-type]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It does not run inside. What is nested or at the same time pauses it once."""
        self._pauses += 1
        if self._pauses == 1 and self._runs:
            ends = self._timeout.when()
            self._left = math.inf if ends is None else ends - _now()
            self._timeout.reschedule(None)
        try:
            yield
        finally:
            self._pauses -= 1
            if self._pauses == 0 and self._runs:
                self._go_on(self._left)

    def expire(self) -> None:
        """Now, paused or not."""
        if self._runs:
            self._ticking = False
            self._timeout.reschedule(_now())

    def _go_on(self, seconds: float) -> None:
        self._timeout.reschedule(None if seconds == math.inf else _now() + seconds)

    @property
    def _runs(self) -> bool:
        return self._ticking and not self._timeout.expired()


def _now() -> float:
    return asyncio.get_running_loop().time()
