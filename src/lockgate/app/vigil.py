"""Who waits for a question to be answered is woken when it changes. Nobody asks again and again."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Watch:
    """One that waits, for one question."""

    def __init__(self, id: str, told: int | None) -> None:
        self.id = id
        self.told = told
        """Version of the question that this one was woken for last."""
        self.woken = asyncio.Event()


class Vigil:
    """One worker's. ``tell`` is called on the loop, each time that its copy of the questions was
    read and has changed: see ``app/background``."""

    def __init__(self) -> None:
        self.over = False
        """The gateway is stopping: nobody waits any more."""
        self._live: Mapping[str, int] = {}
        self._watches: set[Watch] = set()

    @property
    def waiting(self) -> int:
        return len(self._watches)

    @contextmanager
    def watch(self, id: str) -> Iterator[Watch]:
        """Look at the question after this, never before: what changes between is told then."""
        watch = Watch(id, self._live.get(id))
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    def tell(self, live: Mapping[str, int]) -> None:
        """``live``: version of each question that is pending or approved. Whoever waits for one
        that runs, or is over, is woken every time: of those there is no version here."""
        self._live = live
        for watch in self._watches:
            now = live.get(watch.id)
            if now is None or now != watch.told:
                watch.told = now
                watch.woken.set()

    def stop(self) -> None:
        """Whoever waits is answered with how it stands."""
        self.over = True
        for watch in self._watches:
            watch.woken.set()
