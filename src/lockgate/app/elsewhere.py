"""Messages that belong to a call which waits, or runs, at another worker."""

import asyncio
from typing import Protocol

import msgspec

from lockgate.app.answers import Answer
from lockgate.app.asking import Put
from lockgate.app.incoming import Incoming
from lockgate.app.inflight import InFlight, Ticket
from lockgate.app.peers import Hear, Peers
from lockgate.model import PeerGone
from lockgate.pipeline.caller import Caller
from lockgate.wire.headers import Headers
from lockgate.wire.refusal import WireRefusal

HANDLE, CANCEL = "message.handle", "message.cancel"

_SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Whoever sent it is known already; nothing of it is needed elsewhere."""


class Elsewhere(Protocol):
    async def handle(self, node: str, incoming: Incoming, put: Put) -> Answer:
        """Have the worker called ``node`` answer. Raises ``WireRefusal`` ``round.gone`` where that
        worker cannot be reached."""
        ...

    def cancel(self, ticket: Ticket) -> None:
        """Cancel the call behind ``ticket``, whichever other worker runs it."""
        ...


class Alone:
    """There is no other worker."""

    async def handle(self, node: str, incoming: Incoming, put: Put) -> Answer:  # noqa: ARG002
        raise WireRefusal("round.gone")

    def cancel(self, ticket: Ticket) -> None:
        """Nobody else can run it."""


class Handles(Protocol):
    """What is needed of the gateway."""

    inflight: InFlight

    async def handle(self, incoming: Incoming, put: Put) -> Answer: ...


class Carried(msgspec.Struct, frozen=True):
    """``Incoming`` on its way to another worker."""

    raw: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    required: bool
    caller: Caller


class Peered:
    """Satisfies ``Elsewhere`` among the workers of one host, and serves the others."""

    def __init__(self, peers: Peers, gateway: Handles) -> None:
        self._peers = peers
        self._gateway = gateway
        peers.serve(HANDLE, self._handle)
        peers.serve(CANCEL, self._cancel)

    async def handle(self, node: str, incoming: Incoming, put: Put) -> Answer:
        try:
            said = await self._peers.ask(node, HANDLE, carry(incoming), put)
        except PeerGone as gone:
            raise WireRefusal("round.gone") from gone
        return _read_answer(said)

    def cancel(self, ticket: Ticket) -> None:
        self._peers.tell_all(CANCEL, _encode(ticket))

    async def _handle(self, body: bytes, heard: Hear) -> bytes:
        task = asyncio.current_task()
        if task is not None:
            self._gateway.inflight.watch(task)
        return _encode(await self._gateway.handle(carried(body), heard))

    async def _cancel(self, body: bytes, _: Hear) -> bytes:
        self._gateway.inflight.cancel(_read_ticket(body))
        return b""


def carry(incoming: Incoming) -> bytes:
    headers = incoming.headers
    pairs = tuple(
        (name.encode("latin-1"), value.encode("latin-1"))
        for name in headers.named("")
        if name not in _SECRET
        for value in headers.all(name)
    )
    return _encode(Carried(incoming.raw, pairs, headers.required, incoming.caller))


def carried(body: bytes) -> Incoming:
    said = _read_carried(body)
    headers = Headers(said.headers)
    return Incoming(said.raw, headers if said.required else headers.optional(), said.caller)


_encode = msgspec.msgpack.Encoder().encode
_read_carried = msgspec.msgpack.Decoder(Carried).decode
_read_answer = msgspec.msgpack.Decoder(Answer).decode
_read_ticket = msgspec.msgpack.Decoder(Ticket).decode
