"""What has changed, for the console's pages: the state feed, the journal, and what only this worker
knows. Asked for only while somebody wants to know."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from lockgate.app.supervision import every
from lockgate.control_plane.console.changes import Stopping, Versions

LOOK_SECONDS = 0.1
"""How old what pages are told may be."""


class Feed(Protocol):
    """Blocks. Raises ``StoreDown``."""

    def versions(self) -> Mapping[str, int]: ...


class News:
    """Satisfies ``control_plane.console.changes.Changes``. ``own``: versions of topics that no
    other worker knows, asked in the loop."""

    def __init__(self, feed: Feed, own: Mapping[str, Callable[[], int]]) -> None:
        self._feed = feed
        self._own = own
        self._known: Versions = {}
        self._looked = float("-inf")
        self._wanted = asyncio.Event()
        self._round = asyncio.Condition()
        self._waiting: Counter[str] = Counter()
        """How many wait for each topic."""
        self._stopped = False

    def task(self) -> Coroutine[Any, Any, None]:
        """Runs until it is cancelled."""
        return every(LOOK_SECONDS, "looking for what pages show", self._look_if_awaited,
                     self._wanted)  # fmt: skip

    def stop(self) -> None:
        """Whoever waits is told that the gateway ends. In the loop."""
        self._stopped = True
        self._wanted.set()

    async def now(self, topics: frozenset[str]) -> Versions:
        """Raises ``StoreDown``."""
        if self._old or not topics.issubset(self._known):
            await self._look(topics)
        return self._of(topics)

    async def wait(self, topics: frozenset[str], since: Versions) -> Versions:
        """Raises ``Stopping``. A look that fails is made again; whoever waits goes on waiting."""
        self._waiting.update(topics)
        if self._old:
            self._wanted.set()
        try:
            async with self._round:
                await self._round.wait_for(lambda: self._stopped or self._differs(topics, since))
        finally:
            self._waiting -= Counter(topics)
        if self._stopped:
            raise Stopping
        return self._of(topics)

    @property
    def _old(self) -> bool:
        return asyncio.get_running_loop().time() - self._looked > LOOK_SECONDS

    def _differs(self, topics: frozenset[str], since: Versions) -> bool:
        return bool(self._known) and self._of(topics) != since

    def _of(self, topics: frozenset[str]) -> Versions:
        return {topic: self._known.get(topic, 0) for topic in topics}

    async def _look_if_awaited(self) -> None:
        if self._stopped:
            await self._tell()
        elif self._waiting:
            await self._look(frozenset(self._waiting))

    async def _look(self, topics: frozenset[str]) -> None:
        began = asyncio.get_running_loop().time()
        found = await asyncio.to_thread(self._feed.versions)
        own = {topic: ask() for topic, ask in self._own.items() if topic in topics}
        self._known = {**self._known, **found, **own}
        self._looked = began
        await self._tell()

    async def _tell(self) -> None:
        async with self._round:
            self._round.notify_all()
