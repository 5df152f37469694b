"""What was read of secrets, for a short while: whoever answers calls never waits for a backend."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from lockgate.model.reference import LOCAL, Place, Reference, ReferenceBroken
from lockgate.model.secret import Secret, SecretBackend, SecretUnavailable


class CacheBounds(msgspec.Struct, frozen=True):
    """Seconds."""

    fresh: float = 60.0
    """A secret that changed in its backend is used from then on at the latest."""
    stale: float = 300.0
    """Since it was read last. One that cannot be read anew is not used any longer than that."""
    again: float = 5.0
    """From a failing read to the next attempt."""


class _Kept(msgspec.Struct):
    secret: Secret | None = None
    read_at: float = 0.0
    next: float = 0.0
    failing: str = ""
    """Why it cannot be read now."""
    gone: bool = False
    """It is known that there is none."""


class SecretCache:
    """``refresh`` blocks and asks backends, one request at a time for each secret; ``known`` never
    does. What is read from this machine is not kept: it costs next to nothing."""

    def __init__(
        self,
        backends: Mapping[Place, SecretBackend],
        clock: Callable[[], float] = time.monotonic,
        bounds: CacheBounds = CacheBounds(),  # noqa: B008 - a frozen value
    ) -> None:
        self._backends = backends
        self._clock = clock
        self._bounds = bounds
        self._kept: dict[Reference, _Kept] = {}
        self._turns: dict[Reference, threading.Lock] = {}
        self._lock = threading.Lock()
        self.wanted: tuple[Reference, ...] = ()
        """What ``keep`` said last."""

    def known(self, reference: Reference) -> str:
        """Raises ``ReferenceBroken``, or ``SecretUnavailable`` where it was not read yet or not for
        too long."""
        if reference.place in LOCAL:
            return self._backends[reference.place].read(reference).value
        kept = self._kept.get(reference.bare)
        if kept is None:
            raise SecretUnavailable(f"{reference.bare} was not read yet")
        secret = self.current(reference)
        if secret is not None:
            return secret.value
        since = "for too long" if kept.secret else "yet"
        why = kept.failing or f"{reference.bare} was not read {since}"
        raise ReferenceBroken(why) if kept.gone else SecretUnavailable(why)

    def keep(self, references: Iterable[Reference]) -> None:
        """Only these are used from now on."""
        self.wanted = tuple(dict.fromkeys(one.bare for one in references))
        wanted = {one for one in self.wanted if one.place not in LOCAL}
        with self._lock:
            self._kept = {one: self._kept.get(one) or _Kept() for one in wanted}
            self._turns = {one: self._turns.get(one) or threading.Lock() for one in wanted}

    def due(self) -> tuple[Reference, ...]:
        """Those in use whose time is up."""
        now = self._clock()
        return tuple(one for one, kept in self._kept.items() if now >= kept.next)

    def hurry(self) -> None:
        """Everything is due that was not read just now."""
        for kept in self._kept.values():
            if not kept.failing:
                kept.next = min(kept.next, kept.read_at + self._bounds.again)

    def refresh(self, reference: Reference) -> Secret | None:
        """Read it anew where its time is up. None: it cannot be read; ``failing`` says why."""
        with self._turn(reference) as kept:
            if kept is None or self._clock() < kept.next:
                return kept.secret if kept else None
            try:
                secret = self._backends[reference.place].read(reference)
            except ReferenceBroken as failure:
                self._failed(kept, failure)
                return None
            now = self._clock()
            kept.secret, kept.failing, kept.gone = secret, "", False
            kept.read_at, kept.next = now, now + self._bounds.fresh
            return secret

    def current(self, reference: Reference) -> Secret | None:
        """As it was read last, if that may still be used."""
        kept = self._kept.get(reference.bare)
        fresh = kept and self._clock() < kept.read_at + self._bounds.stale
        return kept.secret if kept and fresh else None

    def failing(self) -> dict[Reference, str]:
        """Why each that cannot be read now cannot."""
        return {one: kept.failing for one, kept in self._kept.items() if kept.failing}

    def _failed(self, kept: _Kept, failure: ReferenceBroken) -> None:
        # Its text alone: a kept exception keeps every variable on its way.
        kept.failing, kept.next = str(failure), self._clock() + self._bounds.again
        kept.gone = not isinstance(failure, SecretUnavailable)
        if kept.gone:
            kept.secret = None

    @contextmanager
    def _turn(self, reference: Reference) -> Iterator[_Kept | None]:
        with self._lock:
            turn, kept = self._turns.get(reference), self._kept.get(reference)
        if turn is None:
            yield None
            return
        with turn:
            yield kept
