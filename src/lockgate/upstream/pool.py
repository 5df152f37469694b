"""The open links, and who may use which.

A link belongs to one (upstream, terms); only an upstream registered as ``shared`` has one link for
all, on which nobody may be asked anything. So one person's session, process and pace never serve
another, and what a client declared never holds for another one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec

from lockgate.model import SendFailed, Terms
from lockgate.upstream.health import Clock, Health, Pace
from lockgate.upstream.link import Link
from lockgate.upstream.target import Registered, WithheldTarget, terms_of

log = logging.getLogger("lockgate.upstream")

Connect = Callable[[Registered, Terms], Coroutine[Any, Any, Link]]
"""Opens a link, or raises ``model.SendFailed``."""

Key = tuple[str, Terms]
"""Upstream name, and for whom the link is held."""

SWEEP_SECONDS = 30.0
REMEMBERED = 10_000
"""Failure records kept."""


class Description(msgspec.Struct, frozen=True):
    """One link as health reports show it."""

    upstream: str
    principal: str
    state: str
    """``connecting``, ``open`` or ``resting``."""
    era: str = ""
    version: str = ""
    running: int = 0
    """Requests in flight."""
    reason: str = ""
    """Catalogue code of the last failure, while it lasts."""


class Entry:
    """One link, from the first wish for it to its end."""

    def __init__(self, registered: Registered, opening: "asyncio.Task[Link]", now: float) -> None:
        self.registered = registered
        self.opening = opening
        self.running = 0
        self.used = now

    @property
    def link(self) -> Link | None:
        done = self.opening.done() and not self.opening.cancelled()
        return self.opening.result() if done and not self.opening.exception() else None

    @property
    def broken(self) -> bool:
        """Failed to open, or ended since."""
        return self.opening.done() and (self.link is None or self.link.broken)

    @property
    def idle(self) -> bool:
        return self.running == 0 and self.opening.done()

    @property
    def subscribed(self) -> bool:
        """Somebody wants to be told something over it."""
        return self.link is not None and bool(self.link.subscribed)


class Pool:
    def __init__(self, connect: Connect, clock: Clock, pace: Pace = Pace()) -> None:  # noqa: B008
        self._connect = connect
        self._clock = clock
        self._pace = pace
        self._entries: dict[Key, Entry] = {}
        self._health: dict[Key, Health] = {}
        self._wanted: dict[Key, Registered] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.Task[None] | None = None
        self._closed = False

    @asynccontextmanager
    async def lease(self, registered: Registered, terms: Terms) -> AsyncIterator[Link]:
        """The link held on these terms to this upstream, opened if need be; not closed for
        idleness or for a changed registration before it is given back.

        Raises ``SendFailed``: ``upstream.secret`` while it is withheld, ``upstream.backing-off``
        while the upstream rests or all its links are busy, or why it could not be opened.
        """
        if isinstance(registered.target, WithheldTarget):
            raise SendFailed("upstream.secret", registered.target.why)
        key = (registered.name, terms_of(registered.upstream, terms))
        entry = self._entry(key, registered)
        entry.running += 1
        mark = self._record(key).mark
        try:
            # Several may wait for one opening: none of them may cancel it for the others.
            link = await asyncio.shield(entry.opening)
            yield link
        except SendFailed as failure:
            self._record(key).failed(failure.reason, mark)
            raise
        else:
            self._record(key).answered()
        finally:
            entry.running -= 1
            entry.used = self._clock()
            self._settle(key, entry)

    def descriptions(self) -> tuple[Description, ...]:
        open_ = [self._describe(key, entry) for key, entry in self._entries.items()]
        resting = [
            Description(key[0], key[1].holder, state="resting", reason=health.reason)
            for key, health in self._health.items()
            if health.rest and key not in self._entries
        ]
        return (*open_, *resting)

    async def sweep(self) -> None:
        """Close what nobody used for a while, and what broke."""
        now = self._clock()
        for key, entry in list(self._entries.items()):
            old = now - entry.used >= entry.registered.bounds.idle_seconds and not entry.subscribed
            if entry.idle and (old or entry.broken):
                self._drop(key, entry)
        for key, registered in list(self._wanted.items()):
            self._restore(key, registered)
        for key in [key for key, health in self._health.items() if health.forgettable]:
            del self._health[key]

    def retire(self, upstream: str) -> None:
        """Its registration changed or went: end its links, those in use with their last use."""
        for key, entry in list(self._entries.items()):
            if key[0] == upstream:
                self._retire(key, entry)
        for key in [key for key in self._wanted if key[0] == upstream]:
            del self._wanted[key]

    def retire_session(self, session: str) -> None:
        """The legacy session with this id ended: nobody will use its links again."""
        for key, entry in list(self._entries.items()):
            if key[1].session == session:
                self._retire(key, entry)

    async def close_all(self) -> None:
        """End every link, and with it what is in flight. Returns when all have ended."""
        self._closed = True
        if self._sweeping:
            self._sweeping.cancel()
            await asyncio.wait({self._sweeping})
        for key, entry in list(self._entries.items()):
            self._drop(key, entry)
        if self._closing:
            await asyncio.wait(self._closing)

    def _entry(self, key: Key, registered: Registered) -> Entry:
        if self._closed:
            raise SendFailed("upstream.unreachable", "the gateway is stopping")
        entry = self._entries.get(key)
        if entry and not entry.broken and entry.registered == registered:
            return entry
        if entry:
            # In use or not, it is nobody's any more; the last user's return closes it.
            self._retire(key, entry)
        self._record(key).check()
        self._make_room(registered)
        opening = asyncio.create_task(self._connect(registered, key[1]))
        mark, began = self._record(key).mark, self._clock()
        opening.add_done_callback(lambda done: self._note(key, mark, began, done))
        entry = self._entries[key] = Entry(registered, opening, began)
        self._sweeping = self._sweeping or asyncio.create_task(self._keep_sweeping())
        return entry

    def _note(self, key: Key, mark: int, began: float, opening: "asyncio.Task[Link]") -> None:
        """A failure to open counts, also when whoever waited for it has left."""
        failure = None if opening.cancelled() else opening.exception()
        if isinstance(failure, SendFailed):
            # %r: what an upstream said stays on one line.
            log.warning("%s did not open: %s, %r", key[0], failure.reason, failure.detail)
            self._record(key).failed_to_open(failure.reason, mark, self._clock() - began)

    def _record(self, key: Key) -> Health:
        health = self._health.pop(key, None) or Health(self._clock, self._pace)
        self._health[key] = health
        while len(self._health) > REMEMBERED:
            del self._health[next(iter(self._health))]
        return health

    def _make_room(self, registered: Registered) -> None:
        name, most = registered.name, registered.bounds.links
        ours = [(key, entry) for key, entry in self._entries.items() if key[0] == name]
        if len(ours) < most:
            return
        idle = [(entry.subscribed, entry.used, key, entry) for key, entry in ours if entry.idle]
        if not idle:
            raise SendFailed("upstream.backing-off", f"all {most} links to {name} are busy")
        *_, key, entry = min(idle, key=lambda found: found[:2])
        self._drop(key, entry)

    def _settle(self, key: Key, entry: Entry) -> None:
        """After use: close it if it broke, or if it was replaced and this was its last user."""
        current = self._entries.get(key) is entry
        if entry.idle and (entry.broken or not current or self._closed):
            self._drop(key, entry)

    def _restore(self, key: Key, registered: Registered) -> None:
        """A link broke over which somebody was subscribed, and no request opens another. Whoever
        opens links subscribes again."""
        entry = self._entries.get(key)
        if entry and not entry.broken:
            if entry.link:
                del self._wanted[key]
            return
        ours = sum(name == registered.name for name, _ in self._entries)
        if ours < registered.bounds.links:  # one that is in use is not closed for it
            with suppress(SendFailed):
                self._entry(key, registered)

    def _retire(self, key: Key, entry: Entry) -> None:
        if entry.idle:
            self._drop(key, entry)
        else:
            del self._entries[key]

    def _drop(self, key: Key, entry: Entry) -> None:
        if self._entries.get(key) is entry:
            del self._entries[key]
            if entry.subscribed and not self._closed:
                self._wanted[key] = entry.registered
        closing = asyncio.create_task(_end(entry))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _describe(self, key: Key, entry: Entry) -> Description:
        health = self._health.get(key)
        reason = health.reason if health else ""
        name, who = key[0], key[1].holder
        if entry.link is None:
            return Description(name, who, "connecting", running=entry.running, reason=reason)
        peer = entry.link.peer
        return Description(name, who, "open", peer.era, peer.version, entry.running, reason)

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await self.sweep()


async def _end(entry: Entry) -> None:
    entry.opening.cancel()
    await asyncio.wait({entry.opening})
    if entry.link:
        await entry.link.close()
