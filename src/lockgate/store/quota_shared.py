"""Rates and places of all workers of one host, in memory that they share (a mapped file).

A lock that the kernel takes back from whoever dies makes check and take one step. Nothing is meant
to outlive the workers: the file is in their private folder, and is new with each start.

The file: one lease for each worker (milliseconds), then sets of rows. A principal's row is in the
set that the hash of its id names, wherever there is room: rows of principals who are idle with a
full bucket give way, for a new one would be equal.
"""

import fcntl
import hashlib
import mmap
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lockgate.model import StoreDown, take_token
from lockgate.store.failing import store_errors
from lockgate.store.quota import QuotaLimits
from lockgate.store.quota_rows import LEASE_MS

TURN_SECONDS = 0.5
"""How long to try for the lock, the event loop standing still, before nothing is known. Another's
turn takes microseconds, unless it is stopped in the middle of it."""

_SETS = 16_384
_WAYS = 8
_KEY = 16
_BUCKET = struct.Struct("=16sdq")
"""Hash of the principal's id (zeros: nobody's), tokens, and when it held so many."""
_COUNT = struct.Struct("=H")
_LEASE = struct.Struct("=q")
_NOBODY = bytes(_KEY)


class SharedBuckets:
    """Satisfies ``quota.Buckets``. ``worker``: a number below ``workers``, of its own for each;
    what an earlier one under the same number has taken counts no more. ``clock``: milliseconds
    since the Unix epoch.

    Raises ``StoreDown``.
    """

    def __init__(self, path: Path, worker: int, workers: int, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._leases = struct.Struct(f"={workers}q")
        self._counts = struct.Struct(f"={workers}H")
        self._row_bytes = _BUCKET.size + self._counts.size
        self._lease = worker * _LEASE.size
        self._place = _BUCKET.size + worker * _COUNT.size
        self._owed: list[str] = []
        """Places that could not be given back yet."""
        size = self._leases.size + _SETS * _WAYS * self._row_bytes
        with store_errors(f"cannot share {path}"):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, size)
            self._map = mmap.mmap(self._file, size)
        with self._turn():
            if _LEASE.unpack_from(self._map, self._lease)[0]:
                self._forget_earlier(range(self._leases.size, size, self._row_bytes))

    def take(self, key: str, limits: QuotaLimits) -> tuple[int, bool]:
        """Raises ``StoreDown``, also where there are too many principals at once."""
        digest, shared = _digest(key), self._map
        self._begin()
        try:
            now = self._clock()
            row = self._row(digest, limits, now)
            _, tokens, at = _BUCKET.unpack_from(shared, row)
            tokens, wait = take_token(tokens, at, now, limits.per_minute, limits.burst)
            _BUCKET.pack_into(shared, row, digest, tokens, max(at, now))
            room = self._running(row, now) < limits.running
            if wait == 0 and room:
                self._add(row, 1)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        return wait, room

    def give(self, key: str) -> None:
        self._owed.append(key)
        try:
            self._begin()
        except StoreDown:
            return  # with the next turn
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def renew(self) -> None:
        with self._turn():
            self._set_lease(self._clock() + LEASE_MS)

    def close(self) -> None:
        with self._turn():
            self._set_lease(0)
        self._map.close()
        os.close(self._file)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self._begin()
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _begin(self) -> None:
        """From now on the file is nobody else's. What is owed is given back first."""
        self._lock()
        while self._owed:
            self._give(self._owed.pop())

    def _lock(self) -> None:
        ends, pause = 0.0, 0.0
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                ends = ends or time.monotonic() + TURN_SECONDS
                if time.monotonic() >= ends:
                    raise StoreDown("another worker holds the quota") from None
            except OSError as error:
                raise StoreDown(f"cannot share the quota: {error.strerror}") from error
            time.sleep(pause)  # at first only to let the other go on, where there is one core
            pause = 0.0002

    def _give(self, key: str) -> None:
        digest = _digest(key)
        for row in self._rows(digest):
            if self._map[row : row + _KEY] == digest:
                self._add(row, -1)

    def _row(self, digest: bytes, limits: QuotaLimits, now: int) -> int:
        """The principal's own, made where there is none yet."""
        rows = self._rows(digest)
        free = -1
        for row in rows:
            held = self._map[row : row + _KEY]
            if held == digest:
                return row
            if held == _NOBODY and free < 0:
                free = row
        if free < 0:
            free = next((row for row in rows if self._idle(row, limits, now)), -1)
        if free < 0:
            raise StoreDown("more principals at once than the quota has room for")
        self._map[free : free + self._row_bytes] = bytes(self._row_bytes)
        _BUCKET.pack_into(self._map, free, digest, float(limits.burst), now)
        return free

    def _idle(self, row: int, limits: QuotaLimits, now: int) -> bool:
        _, tokens, at = _BUCKET.unpack_from(self._map, row)
        full = tokens + max(0, now - at) * limits.per_minute / 60_000 >= limits.burst
        return bool(full) and not self._running(row, now)

    def _running(self, row: int, now: int) -> int:
        """Places of those whose lease is not over."""
        places = self._counts.unpack_from(self._map, row + _BUCKET.size)
        leases = self._leases.unpack_from(self._map)
        if min(leases) >= now:
            return sum(places)
        return sum(n for n, until in zip(places, leases, strict=True) if until >= now)

    def _add(self, row: int, more: int) -> None:
        (count,) = _COUNT.unpack_from(self._map, row + self._place)
        _COUNT.pack_into(self._map, row + self._place, max(0, count + more))

    def _rows(self, digest: bytes) -> range:
        """Where the principal's may be."""
        first = int.from_bytes(digest[:4], "big") % _SETS * _WAYS
        start = self._leases.size + first * self._row_bytes
        return range(start, start + _WAYS * self._row_bytes, self._row_bytes)

    def _forget_earlier(self, rows: range) -> None:
        for row in rows:
            if self._map[row : row + _KEY] != _NOBODY:
                _COUNT.pack_into(self._map, row + self._place, 0)

    def _set_lease(self, until: int) -> None:
        _LEASE.pack_into(self._map, self._lease, until)


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=_KEY).digest()
