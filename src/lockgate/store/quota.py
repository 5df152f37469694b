"""Rate and concurrency of each principal: in this worker's memory, or in a file of all workers."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from lockgate.model import Call, Reservation, take_token


class QuotaLimits(msgspec.Struct, frozen=True):
    """For each principal on its own."""

    per_minute: int
    burst: int
    """Calls that may come at once after a rest."""
    running: int
    """Calls under way at the same time."""


class _Bucket:
    __slots__ = ("at", "running", "tokens")

    def __init__(self, tokens: float, at: int) -> None:
        self.tokens = tokens
        self.at = at
        self.running = 0


class Buckets(Protocol):
    """Tokens and places of each principal. May raise ``StoreDown``."""

    def take(self, key: str, limits: QuotaLimits) -> tuple[int, bool]:
        """A token, and a place where there is one: see ``Reservations.learn``. The wait in
        milliseconds (0: there was a token), and whether there was room."""
        ...

    def give(self, key: str) -> None:
        """A place back. Never raises."""
        ...

    def renew(self) -> None:
        """Say that this worker lives. Raises ``StoreDown``."""
        ...

    def close(self) -> None:
        """Nothing of this worker counts any more. Raises ``StoreDown``."""
        ...


class MemoryBuckets:
    """Satisfies ``Buckets`` for one worker. ``clock``: milliseconds, best one that never goes
    back."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._sweep_at = _SWEEP_FROM

    def take(self, key: str, limits: QuotaLimits) -> tuple[int, bool]:
        wait = self.spend(key, limits)
        bucket = self._buckets[key]
        room = bucket.running < limits.running
        bucket.running += wait == 0 and room
        return wait, room

    def give(self, key: str) -> None:
        self._buckets[key].running -= 1

    def renew(self) -> None:
        """Nobody else counts on it."""

    def close(self) -> None:
        """It goes with this worker."""

    def spend(self, key: str, limits: QuotaLimits) -> int:
        """Take a rate token alone. The wait in milliseconds; 0 where there was one."""
        now = self._clock()
        bucket = self._bucket(key, limits, now)
        bucket.tokens, wait = take_token(
            bucket.tokens, bucket.at, now, limits.per_minute, limits.burst
        )
        bucket.at = now
        return wait

    @property
    def known(self) -> int:
        """Principals remembered now."""
        return len(self._buckets)

    def _bucket(self, key: str, limits: QuotaLimits, now: int) -> _Bucket:
        found = self._buckets.get(key)
        if found is None:
            if len(self._buckets) >= self._sweep_at:
                self._sweep(limits, now)
            found = self._buckets[key] = _Bucket(float(limits.burst), now)
        return found

    def _sweep(self, limits: QuotaLimits, now: int) -> None:
        """Forget who is idle with a full bucket: a new one would be equal."""
        rate, burst = limits.per_minute, limits.burst
        self._buckets = {
            key: b
            for key, b in self._buckets.items()
            if b.running or b.tokens + (now - b.at) * rate / 60_000 < burst
        }
        self._sweep_at = max(_SWEEP_FROM, 2 * len(self._buckets))


class _Place:
    """What one request took, and how many of its parts use it."""

    __slots__ = ("call", "taken", "users")

    def __init__(self, taken: Reservation, call: str) -> None:
        self.taken = taken
        self.call = call
        self.users = 1


class Reservations:
    """Satisfies ``pipeline.ports.Source`` for ``model.QUOTA``.

    Check and take are one step. The parts of one request share what its first part took, or was
    refused.
    """

    def __init__(self, limits: QuotaLimits, buckets: Buckets) -> None:
        self.limits = limits
        """May be replaced while calls run: the next call is measured by the new ones."""
        self._buckets = buckets
        self._places: dict[int, _Place] = {}
        self._requests: dict[str, _Place] = {}

    def learn(self, call: Call) -> Reservation:
        """Take a rate token and a running place. A call without a token takes no place; a call
        without a place has still spent its token, so that hammering is not free.

        Raises ``StoreDown``.
        """
        key, limits = call.principal.id, self.limits
        whole = self._requests.get(call.part_of)
        if whole is not None and whole.taken.key == key:
            whole.users += 1
            return whole.taken
        wait, room = self._buckets.take(key, limits)
        taken = Reservation(key, wait == 0, room, limits.per_minute, limits.running, wait)
        # By identity: equal reservations of one principal are different places. The entry keeps
        # the object alive, so its identity is not reused.
        self._places[id(taken)] = self._requests[call.id] = _Place(taken, call.id)
        return taken

    def settle(self, value: Reservation) -> None:
        """Give the place back when the last part has. The token stays spent; settling once more
        changes nothing."""
        place = self._places.get(id(value))
        if place is None:
            return
        place.users -= 1
        if place.users:
            return
        del self._places[id(value)]
        if self._requests.get(place.call) is place:
            del self._requests[place.call]
        if holds(value):
            self._buckets.give(value.key)

    async def renew(self) -> None:
        """Call it before the first call and then every ``quota_rows.RENEW_SECONDS``, or what this
        worker has taken counts no more. Raises ``StoreDown``."""
        self._buckets.renew()

    async def close(self) -> None:
        """Nothing of this worker counts any more. Raises ``StoreDown``."""
        self._buckets.close()


def holds(taken: Reservation) -> bool:
    return taken.rate_ok and taken.running_ok


_SWEEP_FROM = 1_024
