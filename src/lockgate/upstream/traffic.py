"""What an upstream says without being asked: to which request it belongs, or that it is an event.

Only a request that runs can be asked something: its client is there to answer, and it is judged as
part of that call. What comes outside of its own stream is taken to belong to the newest one.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import msgspec
import orjson

from lockgate.model import Envelope, Terms
from lockgate.upstream.deadline import Deadline
from lockgate.upstream.link import Event, Hears, LinkReply, Peer
from lockgate.upstream.opening import refuse, told
from lockgate.upstream.running import LOG, PROGRESS, Running
from lockgate.wire import edit, jsonrpc
from lockgate.wire.capabilities import NOTHING
from lockgate.wire.jsonrpc import Id, Message
from lockgate.wire.methods import ASKS
from lockgate.wire.request import cancelled_id

log = logging.getLogger("lockgate.upstream")

LISTS = frozenset(
    f"notifications/{what}/list_changed" for what in ("tools", "prompts", "resources")
)
EVENTS = LISTS | {"notifications/resources/updated", "notifications/elicitation/complete"}

_INTERNAL = -32603


class Held(msgspec.Struct, frozen=True):
    """For whom a link is held, and who is told of its events."""

    upstream: str
    terms: Terms
    events: Callable[[Event], None] = lambda _: None

    def tell(self, method: str, params: bytes) -> None:
        self.events(Event(self.upstream, self.terms, method, params))

    def missed(self, kinds: Iterable[str], uris: Iterable[str]) -> None:
        """Something may have changed while nobody listened: to be looked at anew."""
        for kind in sorted(kinds):
            self.tell(f"notifications/{kind}/list_changed", b"{}")
        for uri in sorted(uris):
            self.tell("notifications/resources/updated", orjson.dumps({"uri": uri}))


class _Ask(msgspec.Struct):
    task: "asyncio.Task[LinkReply]"
    running: Running
    withdrawn: bool = False


class Traffic:
    """Of one link. ``say`` sends a message to the upstream without waiting for anything."""

    def __init__(self, held: Held, peer: Peer, say: Callable[[bytes], None]) -> None:
        self._held = held
        self._era = peer.era
        self._say = say
        self._running: dict[int, Running] = {}
        self._asks: dict[Id, _Ask] = {}
        self._askable = peer.era == "legacy" and told(held.terms, "legacy") != NOTHING

    @contextmanager
    def request(
        self, number: int, hears: Hears | None, envelope: Envelope, deadline: Deadline
    ) -> Iterator[Running | None]:
        """While request ``number`` runs. With its end, what it was asked is taken back."""
        if hears is None:
            yield None
            return
        running = self._running[number] = Running(number, hears, envelope, deadline, self._era)
        try:
            yield running
        finally:
            del self._running[number]
            running.end()
            for ask in [one for one in self._asks.values() if one.running is running]:
                ask.task.cancel()

    def hear(self, message: Message, own: Running | None = None) -> None:
        """``own``: the request on whose stream it came."""
        if message.kind == "request":
            self._asked(message, own)
        elif message.method == PROGRESS:
            self._progressed(message.params)
        elif message.method == LOG:
            self._logged(message.params, own)
        elif message.method == "notifications/cancelled":
            self._withdraw(message.params)
        elif message.method in EVENTS:
            self._held.tell(message.method, message.params)

    def _asked(self, message: Message, own: Running | None) -> None:
        id = message.id
        if id is None or self._era == "modern" or id in self._asks:
            return  # Since 2026-07-28 nobody answers a server; and nothing is asked twice.
        running = own or self._newest()
        if not self._askable or message.method not in ASKS:
            self._say(refuse(id, message.method))
        elif running is None:
            self._say(jsonrpc.encode_error(id, _INTERNAL, "No request runs that it belongs to"))
        else:
            task = asyncio.create_task(running.ask(message.method, message.params))
            self._asks[id] = _Ask(task, running)
            task.add_done_callback(partial(self._answered, id))

    def _answered(self, id: Id, task: "asyncio.Task[LinkReply]") -> None:
        ask = self._asks.pop(id)
        answer = _answer(id, task)
        if not ask.withdrawn:
            self._say(answer)

    def _withdraw(self, params: bytes) -> None:
        id = cancelled_id(params)
        ask = self._asks.get(id) if id is not None else None
        if ask:
            ask.withdrawn = True
            ask.task.cancel()

    def _progressed(self, params: bytes) -> None:
        token = orjson.loads(edit.get(params, "/progressToken") or b"null")
        running = self._running.get(token) if type(token) is int else None
        if running:
            running.progress(params)

    def _logged(self, params: bytes, own: Running | None) -> None:
        shared = self._held.terms.holder == ""
        running = own or (None if shared else self._newest())
        if running:
            running.log(params)
        else:
            self._held.tell(LOG, params)

    def _newest(self) -> Running | None:
        return next(reversed(self._running.values()), None)


def _answer(id: Id, task: "asyncio.Task[LinkReply]") -> bytes:
    if task.cancelled():
        return jsonrpc.encode_error(id, _INTERNAL, "The request it belonged to has ended")
    failure = task.exception()
    if failure is not None:
        log.warning("a question could not be put: %s", type(failure).__name__)
        return jsonrpc.encode_error(id, _INTERNAL, "Internal error")
    reply = task.result()
    if reply.is_error:
        return jsonrpc.encode_error_raw(id, reply.raw)
    return jsonrpc.encode_result(id, reply.raw)
