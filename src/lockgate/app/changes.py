"""Lists that changed upstream or by policy, told to whom it concerns: only where what they may see
of them is not what it was."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from typing import Any

import msgspec

from lockgate.app.listener import Listener, viewer
from lockgate.app.stamps import stamp
from lockgate.app.upkeep import InForce
from lockgate.pipeline.caller import Caller
from lockgate.pipeline.merge import NOTHING, Seen, Views, view
from lockgate.upstream.link import Event
from lockgate.wire.methods import METHODS
from lockgate.wire.request import Request

METHODS_OF = {
    "tools": ("tools/list",),
    "prompts": ("prompts/list",),
    "resources": ("resources/list", "resources/templates/list"),
}
"""The lists that a kind of change is about."""
LISTS = {f"notifications/{kind}/list_changed": kind for kind in METHODS_OF}
KIND_OF = {method: kind for kind, methods in METHODS_OF.items() for method in methods}

GATHER_SECONDS = 0.2
"""Changes that come together are looked at once."""
LEAST_SECONDS = 2.0
"""Between two looks at lists of one kind for one listener, and so between two notifications."""
AT_ONCE = 4
"""Listeners whose lists are looked at at the same time."""
MOST_TRIES = 6
"""With a list that cannot be had, each after twice the time."""
REMEMBERED = 1_000
"""Clients whose last view of each list is kept until they listen."""

Due = dict[tuple[Listener, str], set[str]]


class Changes:
    """``listeners``: all of them. ``spawn`` runs something in the background."""

    def __init__(
        self,
        in_force: Callable[[], InForce],
        listeners: Callable[[], Iterable[Listener]],
        spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
    ) -> None:
        self.told: Callable[[Seen], None] = lambda _: None
        """Told what a client was shown, for listeners in other workers."""
        self.gather_seconds = GATHER_SECONDS
        self.least_seconds = LEAST_SECONDS
        self._in_force = in_force
        self._listeners = listeners
        self._spawn = spawn
        self._due: Due = {}
        """Upstreams whose lists are to be looked at, by listener and kind."""
        self._remembered: dict[str, Views] = {}
        self._room = asyncio.Semaphore(AT_ONCE)

    def shown(self, caller: Caller, request: Request, views: Mapping[str, str]) -> None:
        """A client was shown a list. ``views``: digest of what it saw, by upstream."""
        seen = Seen(viewer(caller, request), request.method, dict(views))
        self.saw(seen)
        self.told(seen)

    def saw(self, seen: Seen) -> None:
        """The same, here or in another worker."""
        known = self._remembered.pop(seen.viewer, {})
        new = {(seen.method, upstream): digest for upstream, digest in seen.views.items()}
        self._remembered[seen.viewer] = known | new
        if len(self._remembered) > REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        for listener in self._listeners():
            if listener.viewer != seen.viewer:
                continue
            # A session is one client. Of several modern ones nobody knows which has seen it.
            if listener.id is None:
                listener.views |= new
            elif (listener, KIND_OF[seen.method]) not in self._due:
                listener.views = new | listener.views

    def enter(self, listener: Listener) -> None:
        """It begins with what its client was shown last."""
        listener.views = dict(self._remembered.get(listener.viewer, {}))

    def leave(self, listener: Listener) -> None:
        for kind in METHODS_OF:
            self._due.pop((listener, kind), None)

    def heard(self, event: Event) -> None:
        """An upstream says that one of its lists changed."""
        kind = LISTS[event.method]
        if kind == "tools":
            self._in_force().resolver.outdate(event.upstream, event.terms)
        for listener in self._listeners():
            if listener.open and kind in listener.kinds and listener.concerned(event):
                self._look_at(listener, kind, {event.upstream})

    def reloaded(self, listener: Listener) -> None:
        """What may be seen can be another now, of each list that it has seen."""
        for kind in sorted(listener.kinds):
            known = {up for method, up in listener.views if KIND_OF[method] == kind}
            if known and listener.open:
                self._look_at(listener, kind, known | {*listener.caller.endpoint.upstreams})

    def _look_at(self, listener: Listener, kind: str, upstreams: Collection[str]) -> None:
        due = self._due.get((listener, kind))
        if due is not None:
            due.update(upstreams)
            return
        self._due[listener, kind] = set(upstreams)
        self._spawn(self._settle(listener, kind))

    async def _settle(self, listener: Listener, kind: str) -> None:
        """Until nothing of it is to be looked at any more."""
        key, tries = (listener, kind), 0
        now = asyncio.get_running_loop().time
        wait = max(self.gather_seconds, listener.looked.get(kind, 0.0) + self.least_seconds - now())
        try:
            while self._due.get(key):
                await asyncio.sleep(wait)
                asked, self._due[key] = self._due.get(key, set()), set()
                async with self._room:
                    left = await self._look(listener, kind, asked)
                listener.looked[kind] = now()
                tries = tries + 1 if left else 0
                if left and tries < MOST_TRIES and key in self._due:
                    self._due[key] |= left
                wait = self.least_seconds * 2**tries
        finally:
            self._due.pop(key, None)

    async def _look(self, listener: Listener, kind: str, upstreams: Iterable[str]) -> set[str]:
        """Tell the listener if what it may see changed. Returns upstreams that cannot be listed."""
        changed, left = False, set()
        for upstream in sorted(upstreams):
            for method in METHODS_OF[kind]:
                now = await self._view(listener, method, upstream)
                if now is None:
                    left.add(upstream)
                    continue
                # Who has seen nothing of it here is told, unless there is nothing to see.
                changed |= now != listener.views.get((method, upstream), NOTHING)
                listener.views[method, upstream] = now
        if changed:
            listener.tell(f"notifications/{kind}/list_changed")
        return left

    async def _view(self, listener: Listener, method: str, upstream: str) -> str | None:
        state = self._in_force()
        if not listener.may_use(upstream) or upstream not in state.resolver.upstreams:
            return NOTHING
        caller = msgspec.structs.replace(listener.caller, call=stamp().id)
        request = msgspec.structs.replace(
            listener.request, method=method, name="", names="", params=b"{}", rule=METHODS[method]
        )
        return await view(request, upstream, caller, state.resolver, state.gate)
