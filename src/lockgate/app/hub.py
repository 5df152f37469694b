"""Who in this worker is to be told what: sessions with a stream of their own, and listens."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import orjson

from lockgate.app.asking import COMPLETE, Elicited, Put
from lockgate.app.changes import LISTS, Changes
from lockgate.app.listener import Listener, of_session
from lockgate.app.replay import Replay, Track
from lockgate.app.stamps import stamp
from lockgate.app.telling import MESSAGE, Telling
from lockgate.app.upkeep import InForce, Upkeep
from lockgate.app.wishes import MOST_URIS, Wishes
from lockgate.model import JournalDown, Release, Session, StoreDown
from lockgate.pipeline.caller import Caller
from lockgate.pipeline.run import Refused
from lockgate.pipeline.sessions import SessionStates
from lockgate.pipeline.subscriptions import SUBSCRIBE, UNSUBSCRIBE, UPDATED, Anchor, subscribe
from lockgate.upstream.link import Event
from lockgate.wire import edit, jsonrpc
from lockgate.wire.capabilities import asks_of, takes_tasks
from lockgate.wire.era_2026_07_listen import (
    ACKNOWLEDGED,
    Wanted,
    granted,
    listen_result,
    read_listen,
)
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.request import Request
from lockgate.wire.tasks import not_declared

log = logging.getLogger("lockgate.hub")

MOST_STREAMS = 32
"""Open streams of one principal in this worker that carry what belongs to no call."""


class Hub:
    """One worker's listeners. What another worker must know of a session is in ``states``.

    ``expires``: when a session ends by itself. ``in_force``: what a reload replaces. ``elicited``:
    what its clients were asked by URL.
    """

    def __init__(
        self,
        states: SessionStates,
        replay: Replay,
        expires: Callable[[Session], int],
        in_force: Callable[[], InForce],
        elicited: Elicited,
    ) -> None:
        self.replay = replay
        self._elicited = elicited
        self.wishes = Wishes(states, expires)
        self._in_force = in_force
        self._listeners: dict[str, set[Listener]] = {}
        """By holder."""
        self._sessions: dict[str, tuple[Listener, Track]] = {}
        self._upkeep = Upkeep(in_force, lambda holder: self._listeners.get(holder, ()))
        self._telling = Telling(in_force, self.everyone, self.wishes.level)
        self.changes = Changes(in_force, self.everyone, self._spawn)
        self._passing: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopping = False

    # What a session sets.

    def level_of(self, session: Session) -> str:
        """The least severe log message it wants; empty (none) where nobody can say."""
        return self.wishes.level(session.id)

    async def watch(
        self, request: Request, session: Session | None, caller: Caller, put: Put
    ) -> Release | Refused | bytes:
        """What a client wants to be told from now on. Raises ``WireRefusal``, ``JournalDown`` and
        ``StoreDown``."""
        if request.method == "subscriptions/listen":
            return await self.listen(request, caller, put)
        if session is None:
            raise WireRefusal("session.missing")
        if request.method == SUBSCRIBE:
            return await self.subscribe(request, session, caller)
        if request.method == UNSUBSCRIBE:
            return await self.unsubscribe(request, session)
        return await self.set_level(request, session)

    async def set_level(self, request: Request, session: Session) -> bytes:
        """``logging/setLevel``. Raises ``WireRefusal`` ``wire.bad-params``, and ``StoreDown``."""
        found = edit.get(request.params, "/level")
        level = orjson.loads(found) if found is not None else None
        await self.wishes.set_level(session, level)
        return b"{}"

    async def subscribe(
        self, request: Request, session: Session, caller: Caller
    ) -> Release | Refused | bytes:
        """``resources/subscribe``: permitted, forwarded, remembered; what the upstream or a control
        says against it. Raises ``WireRefusal``, ``JournalDown`` and ``StoreDown``."""
        self.wishes.check_room(session, request.name)
        state = self._in_force()
        found = await subscribe(request, caller, state.resolver, state.gate)
        if not isinstance(found, Anchor):
            return found
        await self.wishes.add(session, request.name)
        listener = self._of(session)
        if listener is not None:
            async with listener.turn:
                listener.anchors[found.key] = found
                listener.wanted |= {request.name}
        return b"{}"

    async def unsubscribe(self, request: Request, session: Session) -> bytes:
        """``resources/unsubscribe``: nothing more is told, whatever the upstream says to it. What
        was not subscribed to is not an error. Raises ``StoreDown`` and ``JournalDown``."""
        left = await self.wishes.remove(session, request.name)
        listener = self._of(session)
        if listener is not None:
            await self._upkeep.match(listener, left)
        return b"{}"

    # Streams.

    def attend(self, session: Session, caller: Caller) -> Track:
        """The stream of a session. An earlier one ends: each message goes to exactly one.

        Raises ``WireRefusal`` ``stream.too-many``.
        """
        earlier = self._sessions.get(session.id)
        if earlier is not None:
            self.replay.forget(earlier[1])
        track = self.replay.open(session, lambda: self._left(session.id, listener))
        listener = of_session(session, caller, track.put)
        listener.present = lambda: track.follower is not None
        try:
            self._enter(listener)
        except WireRefusal:
            self.replay.forget(track)
            raise
        self._sessions[session.id] = listener, track
        self._spawn(self.look(session.id))
        return track

    async def listen(self, request: Request, caller: Caller, put: Put) -> bytes:
        """``subscriptions/listen``: runs until the server ends it, and returns the result then;
        cancelling it ends it too. Raises ``WireRefusal`` and ``JournalDown``."""
        wanted = read_listen(request.params)
        if request.id is None or not caller.streams:
            raise WireRefusal("wire.not-acceptable")
        if wanted.tasks and not takes_tasks(asks_of(request.capabilities)):
            raise not_declared()  # SEP-2663 demands it, though none are granted either way
        listener = Listener(caller, request, put, wanted.kinds, request.id)
        self._enter(listener)
        try:
            uris = wanted.uris[:MOST_URIS]
            await self._upkeep.renew(listener, uris, caller.call)
            stand = {anchor.outer for anchor in listener.anchors.values()}
            told = Wanted(wanted.kinds, tuple(uri for uri in uris if uri in stand))
            listener.tell(ACKNOWLEDGED, granted(told))
            listener.open = True
            await listener.ended.wait()
        finally:
            self._leave(listener)
        return listen_result(request.id)

    def end(self, session_id: str) -> None:
        """The session is over, and its streams with it."""
        self.replay.end(session_id)

    def stop(self) -> None:
        """The worker is about to end, and first all streams, in order."""
        self._stopping = True
        for listener in self.everyone():
            listener.ended.set()
        for _, track in self._sessions.values():
            track.finish()

    async def close(self) -> None:
        """After ``stop``: returns when nothing of it runs any more."""
        for task in self.busy:
            task.cancel()
        if self.busy:
            await asyncio.wait(self.busy)

    @property
    def open(self) -> int:
        """Streams that are told something."""
        return sum(map(len, self._listeners.values()))

    @property
    def busy(self) -> set["asyncio.Task[None]"]:
        """What runs in the background now."""
        return set(self._tasks)

    # What happens meanwhile.

    async def look(self, session_id: str) -> None:
        """What the session set, wherever it did, holds for its stream here. Raises ``StoreDown``
        and ``JournalDown``."""
        await self.wishes.renew()
        found = self._sessions.get(session_id)
        if found is not None:
            await self._upkeep.match(found[0], self.wishes.uris(session_id))

    def hear(self, event: Event) -> None:
        """An upstream told something that belongs to no call. Never blocks."""
        if event.method in LISTS:
            self.changes.heard(event)
        if event.method == COMPLETE:
            self._complete(event)
        if event.method not in (UPDATED, MESSAGE) or not self._listeners:
            return
        self._telling.take(event)
        if self._passing is None or self._passing.done():
            self._passing = self._spawn(self._telling.tell_all())

    def _complete(self, event: Event) -> None:
        """On the session's stream, or where the question was put. Nothing of the upstream's words
        is passed on."""
        found = self._elicited.complete(event)
        if found is None:
            return
        params, put = found
        listener = self._sessions.get(event.terms.session)
        if listener is not None:
            listener[0].tell(COMPLETE, params)
        else:
            put(jsonrpc.encode_notification(COMPLETE, params))

    def reloaded(self) -> None:
        """Policy or catalogue changed: every subscription is asked for anew, every list that
        somebody has seen is looked at again."""
        endpoints = self._in_force().endpoints
        for listener in self.everyone():
            listener.move(endpoints)
            self.changes.reloaded(listener)
            uris = [anchor.outer for anchor in listener.anchors.values()]
            if uris:
                self._spawn(self._upkeep.renew(listener, uris, stamp().id))

    async def tick(self) -> None:
        """Every second or two: what sessions set in other workers, and what was undecided. Raises
        ``StoreDown``."""
        self.replay.sweep()
        for session_id, (listener, _) in list(self._sessions.items()):
            wanted = self.wishes.uris(session_id)
            if (wanted != listener.wanted or listener.again) and not listener.turn.locked():
                self._spawn(self._upkeep.match(listener, wanted))

    def _enter(self, listener: Listener) -> None:
        if self._stopping:
            raise WireRefusal("gateway.stopping")
        # Those whose client is away are bounded where they are kept.
        if sum(one.present() for one in self._listeners.get(listener.holder, ())) >= MOST_STREAMS:
            raise WireRefusal("stream.too-many")
        self._listeners.setdefault(listener.holder, set()).add(listener)
        self.changes.enter(listener)

    def _left(self, session_id: str, listener: Listener) -> None:
        if session_id in self._sessions and self._sessions[session_id][0] is listener:
            del self._sessions[session_id]
        self._leave(listener)

    def _leave(self, listener: Listener) -> None:
        mine = self._listeners.get(listener.holder, set())
        mine.discard(listener)
        self.changes.leave(listener)
        if not mine:
            self._listeners.pop(listener.holder, None)
        anchors = list(listener.anchors.values())
        if anchors and not self._stopping:
            self._spawn(self._upkeep.release(listener.holder, anchors))

    def everyone(self) -> list[Listener]:
        return [listener for mine in self._listeners.values() for listener in mine]

    def _of(self, session: Session) -> Listener | None:
        found = self._sessions.get(session.id)
        return found[0] if found else None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        failure = None if task.cancelled() else task.exception()
        if isinstance(failure, JournalDown | StoreDown):
            log.warning("a subscription could not be kept: %s", failure)
        elif failure is not None:
            log.error("keeping a subscription failed", exc_info=failure)
