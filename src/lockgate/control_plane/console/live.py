"""Telling pages that what they show has changed (server-sent events, HTML Living Standard, 9.2).

An event says only that something changed; the page is then asked for as ever, with all its checks.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from lockgate.control_plane.console.backing import Backing, SignedOut, Visitor, visitor_of
from lockgate.control_plane.console.changes import Stopping, Versions, read, written
from lockgate.control_plane.console.pages import SESSION, told
from lockgate.control_plane.console.rooms import topics_for
from lockgate.model import StoreDown

KEEP_ALIVE_SECONDS = 15.0
"""Between two signs of life; whether the session still stands is looked at with each."""
MOST_STREAMS = 3
"""Of one session in this worker. Browsers open six connections to one host (HTTP/1.1)."""
MOST_OF_PERSON = 12
"""The same over all their sessions: anybody in the company can sign in, as often as they like."""
RETRY_MS = 3_000
ENDED = b"event: ended\ndata: 1\n\n"
"""The session is over: the page goes to where one signs in."""
RENEWED = b"event: renewed\ndata: 1\n\n"
"""The person holds other roles: the page is to be asked for again, and comes with a new id."""


class Live:
    def __init__(self, backing: Backing, keep_alive: float = KEEP_ALIVE_SECONDS) -> None:
        self._backing = backing
        self._keep_alive = keep_alive
        self._open: Counter[str] = Counter()
        """By session, and by person."""

    async def stream(self, request: Request) -> Response:
        """``since``, or the last event's id of a browser that comes back: how far the page goes.
        Whoever is signed out, or due a new id, is told to ask for the page again."""
        try:
            visitor = await visitor_of(request, self._backing, touch=False)
        except SignedOut:
            return Response(await self._last_word(request), media_type="text/event-stream")
        said = request.headers.get("last-event-id") or request.query_params.get("since", "")
        since = read(said)
        if since is None or not topics_for(visitor.roles).issuperset(since):
            return told("Not here", "There is no such stream.", status=400)
        session, person = visitor.session.hash, visitor.session.identity
        if self._open[session] >= MOST_STREAMS or self._open[person] >= MOST_OF_PERSON:
            return told("Too many", "Too many pages are open.", status=429)
        self._open.update((session, person))
        events = self._events(request, visitor, since)
        return _Stream(events, lambda: self._free(session, person))

    def _free(self, *owners: str) -> None:
        self._open -= Counter(owners)

    async def _events(
        self, request: Request, visitor: Visitor, seen: Versions
    ) -> AsyncIterator[bytes]:
        yield b"retry: %d\n\n" % RETRY_MS
        topics = frozenset(seen)
        while True:
            try:
                found = await self._next(topics, seen)
                stands = await self._stands(request, visitor, topics)
            except (Stopping, StoreDown):  # a browser comes back by itself
                return
            if not stands:
                yield await self._last_word(request)
                return
            if found == seen:
                yield b": still here\n\n"
            else:
                yield f"id: {written(found)}\nevent: changed\ndata: 1\n\n".encode()
            seen = found

    async def _next(self, topics: frozenset[str], seen: Versions) -> Versions:
        try:
            async with asyncio.timeout(self._keep_alive):
                return await self._backing.changes.wait(topics, seen)
        except TimeoutError:
            return seen

    async def _last_word(self, request: Request) -> bytes:
        known = self._backing.sessions.recognise
        cookie = request.cookies.get(SESSION, "")
        return RENEWED if await asyncio.to_thread(known, cookie, touch=False) else ENDED

    async def _stands(self, request: Request, visitor: Visitor, topics: frozenset[str]) -> bool:
        """The same session, with as many rights. Looking does not keep it from becoming idle."""
        try:
            now = await visitor_of(request, self._backing, touch=False)
        except SignedOut:
            return False
        same = not now.cookie and now.session.hash == visitor.session.hash
        return same and topics_for(now.roles).issuperset(topics)


class _Stream(StreamingResponse):
    def __init__(self, events: AsyncIterator[bytes], after: Any) -> None:
        super().__init__(events, headers={"x-accel-buffering": "no"},
                         media_type="text/event-stream")  # fmt: skip
        self._after = after

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._after()
