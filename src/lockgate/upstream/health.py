"""When to try a failing upstream again.

Restart back-off with a cap (a circuit that half-opens by itself): after the first failure a new
attempt may follow at once, since one bad call must not shut an upstream; each further one rests it
twice as long. What ran for a while without failing starts anew.
"""

from collections.abc import Callable

import msgspec

from lockgate.model import SendFailed

Clock = Callable[[], float]
"""Seconds, monotonic."""

COUNTS = frozenset({"upstream.unreachable", "upstream.crashed", "upstream.garbage"})
"""Failures of the upstream itself. A slow or too large answer may be due to what was asked."""


class Pace(msgspec.Struct, frozen=True):
    """All in seconds but ``free``."""

    first: float = 0.5
    cap: float = 60.0
    stable: float = 30.0
    """This long without failing, and earlier failures are forgotten."""
    free: int = 1
    """Failures in a row before the first rest."""


class Health:
    """The record of one link."""

    def __init__(self, clock: Clock, pace: Pace = Pace()) -> None:  # noqa: B008 - a frozen value
        self._clock = clock
        self._pace = pace
        self._failures = 0
        self.mark = 0
        """Counts failures. Taken before an attempt and given to ``failed``, it keeps many requests
        that fall to one failure from counting as many."""
        self._last = self._until = clock()
        self._working_since: float | None = None
        self.reason = ""
        """Why it failed last; empty while it works."""

    @property
    def rest(self) -> float:
        """Seconds until the next attempt is allowed."""
        return max(0.0, self._until - self._clock())

    @property
    def forgettable(self) -> bool:
        """So long ago that it no longer says anything."""
        return self._clock() - max(self._last, self._until) >= self._pace.stable

    def check(self) -> None:
        """Raises ``SendFailed("upstream.backing-off")`` while the upstream rests."""
        if self.rest:
            raise SendFailed("upstream.backing-off", f"{self.reason}; {self.rest:.1f} s to go")

    def failed(self, reason: str, mark: int) -> None:
        """An attempt begun at ``mark`` failed with catalogue code ``reason``. Not all count."""
        if reason in COUNTS and mark == self.mark:
            self._count(reason)

    def failed_to_open(self, reason: str, mark: int, took: float) -> None:
        """Nothing was asked of it yet, so being slow counts too; and it rests at least as long as
        everybody waited for it: ``took`` seconds."""
        if (reason in COUNTS or reason == "upstream.timeout") and mark == self.mark:
            self._count(reason)
            if self._failures > self._pace.free or reason == "upstream.timeout":
                self._until = max(self._until, self._clock() + min(took, self._pace.cap))

    def _count(self, reason: str) -> None:
        self.mark += 1
        now, pace = self._clock(), self._pace
        if self._working_since is not None and now - self._working_since >= pace.stable:
            self._failures = 0
        self._working_since = None
        self._failures += 1
        self.reason = reason
        self._last = now
        over = self._failures - pace.free
        if over > 0:
            self._until = now + min(pace.cap, pace.first * 2 ** min(over - 1, 30))

    def answered(self) -> None:
        """It works. Earlier failures still count until it has worked for ``Pace.stable``."""
        if self._working_since is None:
            self._working_since = self._clock()
        self.reason = ""
