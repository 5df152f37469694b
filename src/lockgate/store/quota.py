"""Rate and concurrency of each principal, in this worker's memory."""

from collections.abc import Callable

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


class _Place:
    """What one request took, and how many of its parts use it."""

    __slots__ = ("call", "taken", "users")

    def __init__(self, taken: Reservation, call: str) -> None:
        self.taken = taken
        self.call = call
        self.users = 1


class Reservations:
    """Satisfies ``pipeline.ports.Source`` for ``model.QUOTA``.

    Check and take are one step: the event loop runs ``learn`` to its end before another call's.
    The parts of one request share what its first part took, or was refused.
    ``clock``: milliseconds, best one that never goes back.
    """

    def __init__(self, limits: QuotaLimits, clock: Callable[[], int]) -> None:
        self.limits = limits
        """May be replaced while calls run: the next call is measured by the new ones."""
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._places: dict[int, _Place] = {}
        self._requests: dict[str, _Place] = {}
        self._sweep_at = _SWEEP_FROM

    def learn(self, call: Call) -> Reservation:
        """Take a rate token and a running place. A call without a token takes no place; a call
        without a place has still spent its token, so that hammering is not free."""
        key, limits = call.principal.id, self.limits
        whole = self._requests.get(call.part_of)
        if whole is not None and whole.taken.key == key:
            whole.users += 1
            return whole.taken
        wait = self.spend(key)
        bucket = self._buckets[key]
        room = bucket.running < limits.running
        taken = Reservation(key, wait == 0, room, limits.per_minute, limits.running, wait)
        if _holds(taken):
            bucket.running += 1
        # By identity: equal reservations of one principal are different places. The entry keeps
        # the object alive, so its identity is not reused.
        self._places[id(taken)] = self._requests[call.id] = _Place(taken, call.id)
        return taken

    def spend(self, key: str) -> int:
        """Take a rate token alone. The wait in milliseconds; 0 where there was one."""
        now, limits = self._clock(), self.limits
        bucket = self._bucket(key, now)
        bucket.tokens, wait = take_token(
            bucket.tokens, bucket.at, now, limits.per_minute, limits.burst
        )
        bucket.at = now
        return wait

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
        if _holds(value):
            self._buckets[value.key].running -= 1

    @property
    def known(self) -> int:
        """Principals remembered now."""
        return len(self._buckets)

    def _bucket(self, key: str, now: int) -> _Bucket:
        found = self._buckets.get(key)
        if found is None:
            if len(self._buckets) >= self._sweep_at:
                self._sweep(now)
            found = self._buckets[key] = _Bucket(float(self.limits.burst), now)
        return found

    def _sweep(self, now: int) -> None:
        """Forget who is idle with a full bucket: a new one would be equal."""
        rate, burst = self.limits.per_minute, self.limits.burst
        self._buckets = {
            key: b
            for key, b in self._buckets.items()
            if b.running or b.tokens + (now - b.at) * rate / 60_000 < burst
        }
        self._sweep_at = max(_SWEEP_FROM, 2 * len(self._buckets))


def _holds(taken: Reservation) -> bool:
    return taken.rate_ok and taken.running_ok


_SWEEP_FROM = 1_024
