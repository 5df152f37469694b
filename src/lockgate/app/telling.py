"""What upstreams tell outside of calls, judged, to whom it concerns."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from lockgate.app.listener import Listener
from lockgate.app.stamps import stamp
from lockgate.app.upkeep import InForce
from lockgate.model import Call, Notice
from lockgate.pipeline.resolve import envelope_of
from lockgate.pipeline.subscriptions import UPDATED, judged, updated
from lockgate.upstream.link import Event
from lockgate.wire import edit, meta

MESSAGE = "notifications/message"
MOST_EVENTS = 1_024
"""Events that wait to be judged. Of more the oldest are forgotten: each only says "look again"."""


class Telling:
    """``listeners``: all of them. ``level``: the log level of a session, by its id."""

    def __init__(
        self,
        in_force: Callable[[], InForce],
        listeners: Callable[[], Iterable[Listener]],
        level: Callable[[str], str],
    ) -> None:
        self._in_force = in_force
        self._listeners = listeners
        self._level = level
        self._waiting: deque[Event] = deque(maxlen=MOST_EVENTS)

    def take(self, event: Event) -> None:
        self._waiting.append(event)

    async def tell_all(self) -> None:
        """Until nothing waits any more."""
        while self._waiting:
            event = self._waiting.popleft()
            for listener in list(self._listeners()):
                if listener.open and listener.concerned(event):
                    await self._tell(listener, event)
            await asyncio.sleep(0)  # a talkative upstream must not hold up everybody else

    async def _tell(self, listener: Listener, event: Event) -> None:
        if event.method == UPDATED:
            for anchor in updated(event, listener.anchors):
                uri = {"uri": anchor.call.target}
                raw = edit.merge(_plain(event.params), _rendered(uri))
                if await judged(Notice(anchor.call, UPDATED, raw), self._in_force().gate):
                    listener.tell(UPDATED, edit.merge(raw, _rendered({"uri": anchor.outer})))
        elif event.method == MESSAGE and listener.id is None:
            await self._tell_message(listener, event)

    async def _tell_message(self, listener: Listener, event: Event) -> None:
        state, caller = self._in_force(), listener.caller
        upstream = state.resolver.upstreams.get(event.upstream)
        level = edit.get(event.params, "/level") or b"null"
        wanted = self._level(caller.session)
        if upstream is None or not meta.reaches(msgspec.json.decode(level), wanted):
            return
        call = Call(
            stamp().id, caller.principal, MESSAGE, upstream, "",
            envelope=envelope_of(listener.request, caller),
        )  # fmt: skip
        raw = _plain(event.params)
        if await judged(Notice(call, MESSAGE, raw), state.gate):
            listener.tell(MESSAGE, raw)


def _plain(params: bytes) -> bytes:
    """Without what is between us and the upstream."""
    return edit.merge(params, meta.strip(edit.members(params)))


def _rendered(members: dict[str, str]) -> dict[str, bytes | None]:
    return {name: msgspec.json.encode(text) for name, text in members.items()}
