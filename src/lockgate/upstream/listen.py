"""``subscriptions/listen`` towards a modern upstream, kept open.

What one listen tells is fixed when it is opened. To change it another is opened, and when that is
acknowledged the first is closed, so that nothing is missed.
"""

import asyncio
from collections.abc import Awaitable, Callable

import orjson

from lockgate.model import SendFailed
from lockgate.upstream.declared import Declared
from lockgate.upstream.link import LinkReply
from lockgate.upstream.pause import Pause
from lockgate.upstream.traffic import EVENTS, Held
from lockgate.wire import edit, meta
from lockgate.wire.era_2026_07_listen import ACKNOWLEDGED, Wanted, granted
from lockgate.wire.jsonrpc import Message

LISTEN = "subscriptions/listen"
SUBSCRIBE, UNSUBSCRIBE = "resources/subscribe", "resources/unsubscribe"
WATCH = frozenset({SUBSCRIBE, UNSUBSCRIBE})
ACKNOWLEDGE_SECONDS = 30.0
NOT_GRANTED = LinkReply(
    b'{"code":-32602,"message":"The server does not tell about this resource"}', is_error=True
)

_METHOD_NOT_FOUND = -32601


class _Round:
    """One listen. ``opened``: what it was granted, or the error that it was answered with."""

    def __init__(self, number: int, uris: frozenset[str]) -> None:
        self.number = number
        self.uris = uris
        self.opened: asyncio.Future[frozenset[str] | bytes]
        self.opened = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None

    def end(self) -> None:
        if self.task:
            self.task.cancel()


class Listen:
    """Of one link. ``ask`` sends a listen with this id and these params, and returns its response;
    what comes before that is given to ``hear``. It raises ``SendFailed``, and takes no time limit.
    """

    def __init__(
        self,
        held: Held,
        told: Declared,
        new_id: Callable[[], int],
        ask: Callable[[int, bytes], Awaitable[LinkReply]],
        pause: Pause | None = None,
    ) -> None:
        self.uris: frozenset[str] = frozenset()
        """Resources that somebody is subscribed to."""
        self._held = held
        self._told = told
        self._new_id = new_id
        self._ask = ask
        self._rounds: dict[int, _Round] = {}
        self._current: _Round | None = None
        self._turn = asyncio.Lock()
        self._pause = pause or Pause()
        self._again: asyncio.Task[None] | None = None
        self._stopped = False

    def start(self) -> None:
        """Listen for changed lists, where any are told."""
        if self._told.kinds:
            self._again = asyncio.create_task(self._reopen(first=True))

    def stop(self) -> None:
        self._stopped = True
        if self._again:
            self._again.cancel()
        for one in list(self._rounds.values()):
            one.end()

    async def subscribe(self, uri: str) -> LinkReply:
        """An empty result when the upstream has granted it. Raises ``SendFailed``."""
        if not self._told.subscribe:
            return NOT_GRANTED
        async with self._turn:
            if uri in self.uris and self._current:
                return LinkReply(b"{}")
            found = await self._change(self.uris | {uri})
        if isinstance(found, bytes):
            return LinkReply(found, is_error=True)
        return LinkReply(b"{}") if uri in found else NOT_GRANTED

    async def request(self, method: str, params: bytes) -> LinkReply:
        """What a legacy client's request of that name amounts to. Raises ``SendFailed``."""
        uri = uri_of(params)
        return await (self.subscribe(uri) if method == SUBSCRIBE else self.unsubscribe(uri))

    async def unsubscribe(self, uri: str) -> LinkReply:
        """Whatever the upstream says to it, nobody is told any more. Raises ``SendFailed``."""
        async with self._turn:
            left = self.uris - {uri}
            if left != self.uris:
                self.uris = left
                await self._change(left)
        return LinkReply(b"{}")

    def hear(self, message: Message) -> bool:
        """Whether it belongs to a listen, be it one that is over."""
        fields = edit.members(message.params)
        said = edit.members(fields.get("_meta", b"{}")).get(meta.SUBSCRIPTION)
        if message.kind != "notification" or said is None:
            return False
        number = orjson.loads(said)
        one = self._rounds.get(number) if type(number) is int else None
        if one is None:
            return True
        if message.method == ACKNOWLEDGED:
            if not one.opened.done():
                one.opened.set_result(_granted(message.params))
        elif message.method in EVENTS:
            self._pause.worked()
            params = edit.merge(message.params, meta.strip(fields))
            self._held.tell(message.method, params)
        return True

    async def _change(self, uris: frozenset[str]) -> frozenset[str] | bytes:
        """Listen for these from now on: what was granted, or the error that says why not."""
        if not uris and not self._told.kinds:
            found: frozenset[str] | bytes = frozenset()
            new = None
        else:
            new = self._open(uris)
            found = await self._opened(new)
            if isinstance(found, bytes) or not uris - self.uris <= found:
                new.end()
                return found
        old, self.uris = self._current, uris
        self._take(new)
        if old:
            old.end()
        return found

    def _take(self, one: _Round | None) -> None:
        self._current = one
        if one and one.task and one.task.done():
            self._lost()  # as soon as it was acknowledged

    async def _opened(self, one: _Round) -> frozenset[str] | bytes:
        try:
            async with asyncio.timeout(ACKNOWLEDGE_SECONDS):
                return await one.opened
        except TimeoutError:
            raise SendFailed("upstream.timeout", f"{LISTEN} was not acknowledged") from None
        finally:
            if one.opened.cancelled() or one.opened.exception():
                one.end()

    def _open(self, uris: frozenset[str]) -> _Round:
        self._pause.begin()
        one = _Round(self._new_id(), uris)
        self._rounds[one.number] = one
        one.task = asyncio.create_task(self._run(one))
        one.task.add_done_callback(lambda _: self._ended(one))
        return one

    async def _run(self, one: _Round) -> None:
        wanted = granted(Wanted(self._told.kinds, tuple(sorted(one.uris))))
        try:
            reply = await self._ask(one.number, wanted)
        except SendFailed as failure:
            if not one.opened.done():
                one.opened.set_exception(SendFailed(*failure.args))
            return
        if not one.opened.done():
            ended = b'{"code":-32603,"message":"The server ended the subscription"}'
            one.opened.set_result(reply.raw if reply.is_error else ended)

    def _ended(self, one: _Round) -> None:
        del self._rounds[one.number]
        if one is self._current:
            self._lost()

    def _lost(self) -> None:
        self._current = None
        if not self._stopped:
            self._again = asyncio.create_task(self._reopen())

    async def _reopen(self, *, first: bool = False) -> None:
        """Until it is open again. What was missed meanwhile nobody repeats."""
        while not self._stopped:
            if not first:
                await asyncio.sleep(self._pause.take())
            async with self._turn:
                if self._current or not (self.uris or self._told.kinds):
                    return
                found = await self._try()
            if isinstance(found, frozenset):
                if not first:
                    self._held.missed(self._told.kinds, self.uris)
                return
            if found is not None and _code(found) == _METHOD_NOT_FOUND:
                return
            first = False

    async def _try(self) -> frozenset[str] | bytes | None:
        """None where it failed in a way that may pass."""
        one = self._open(self.uris)
        try:
            found = await self._opened(one)
        except SendFailed:
            return None
        if isinstance(found, frozenset):
            self._take(one)
        return found


def uri_of(params: bytes) -> str:
    """Empty where there is none."""
    said = orjson.loads(edit.get(params, "/uri") or b"null")
    return said if isinstance(said, str) else ""


def subscribed(
    uris: frozenset[str], method: str, params: bytes, reply: LinkReply
) -> frozenset[str]:
    """What is subscribed to at a legacy upstream, after this request and its reply."""
    if method == SUBSCRIBE and not reply.is_error:
        return uris | {uri_of(params)}
    return uris - {uri_of(params)} if method == UNSUBSCRIBE else uris


def _granted(params: bytes) -> frozenset[str]:
    said = orjson.loads(edit.get(params, "/notifications/resourceSubscriptions") or b"[]")
    return frozenset(uri for uri in said if isinstance(uri, str)) if said else frozenset()


def _code(error: bytes) -> object:
    return orjson.loads(edit.get(error, "/code") or b"null")
