"""The workers of one host, speaking to each other over Unix sockets in a private folder."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from lockgate.app.frames import Ask, Connection, Done, Failed, Frame, Heard, Withdrawn
from lockgate.model import PeerGone

log = logging.getLogger("lockgate.peers")

Hear = Callable[[bytes], None]
"""Takes what is said before the answer. Never blocks."""
Handler = Callable[[bytes, Hear], Awaitable[bytes]]
"""Answers one ask; cancelled when whoever asked withdraws it, or is gone."""


def ignore(_: bytes) -> None:
    """Nobody listens."""


class _Asked:
    """An ask of ours that is not answered yet."""

    def __init__(self, hear: Hear) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.hear = hear


class Asks:
    """Ours, over one connection to another worker."""

    def __init__(self) -> None:
        self.connection = Connection(self._take, self._lost)
        self._numbers = count(1)
        self._open: dict[int, _Asked] = {}

    async def ask(self, kind: str, body: bytes, hear: Hear) -> bytes:
        """Raises ``PeerGone``. Cancelling it withdraws the ask."""
        number, asked = next(self._numbers), _Asked(hear)
        self._open[number] = asked
        self.connection.send(Ask(number, kind, body))
        try:
            return await asked.answer
        except asyncio.CancelledError:
            self.connection.send(Withdrawn(number))
            raise
        finally:
            del self._open[number]

    def _take(self, _: Connection, frame: Frame) -> None:
        asked = self._open.get(frame.number)
        if asked is None or asked.answer.done():
            return
        if isinstance(frame, Heard):
            asked.hear(frame.body)
        elif isinstance(frame, Done):
            asked.answer.set_result(frame.body)
        elif isinstance(frame, Failed):
            asked.answer.set_exception(PeerGone("it could not"))

    def _lost(self, _: Connection) -> None:
        for asked in self._open.values():
            if not asked.answer.done():
                asked.answer.set_exception(PeerGone("the connection was lost"))


class Peers:
    """``node`` is this worker, ``nodes`` are all of this host; the last part of each (after the
    dot) names its socket in ``folder``, which only their user may enter."""

    def __init__(self, node: str, nodes: Sequence[str], folder: Path) -> None:
        self.node = node
        self._nodes = tuple(nodes)
        self._folder = folder
        self._handlers: dict[str, Handler] = {}
        self._server: asyncio.Server | None = None
        self._asks: dict[str, asyncio.Task[Asks]] = {}
        self._working: dict[tuple[Connection, int], asyncio.Future[bytes]] = {}
        self._incoming: set[Connection] = set()
        self._telling: set[asyncio.Task[None]] = set()
        self._closed = False

    def serve(self, kind: str, handler: Handler) -> None:
        """From now on asks of this kind go to ``handler``."""
        self._handlers[kind] = handler

    async def start(self) -> None:
        """Be reachable. Raises ``OSError``."""
        place = self._place(self.node)
        place.unlink(missing_ok=True)  # left by an earlier worker in this place, which was killed
        self._server = await asyncio.get_running_loop().create_unix_server(
            self._incoming_connection, str(place)
        )

    async def close(self) -> None:
        """What is under way here is cancelled; whoever waits is told that we are gone."""
        self._closed = True
        if self._server is not None:
            self._server.close()
        for connection in list(self._incoming):
            connection.close()
        working: list[asyncio.Future[Any]] = [*self._working.values(), *self._telling]
        for each in working:
            each.cancel()
        for opening in self._asks.values():
            opening.cancel()
            if opening.done() and not opening.cancelled() and not opening.exception():
                opening.result().connection.close()
        if working:
            await asyncio.wait(working)
        await asyncio.sleep(0)  # so that transports close
        self._place(self.node).unlink(missing_ok=True)

    def owner(self, key: bytes) -> str:
        """The one worker that ``key`` belongs to: the same answer in all of them (rendezvous
        hashing)."""
        return max(
            self._nodes, key=lambda node: hashlib.blake2b(node.encode() + b"\0" + key).digest()
        )

    async def ask(self, node: str, kind: str, body: bytes, heard: Hear = ignore) -> bytes:
        """Raises ``PeerGone``: with ``sent`` False where the other worker never heard of it.
        Cancelling it cancels the work there."""
        if node == self.node:
            return await self._handlers[kind](body, heard)
        asks = await self._reach(node)
        return await asks.ask(kind, body, heard)

    def tell_all(self, kind: str, body: bytes) -> set["asyncio.Task[None]"]:
        """All others that can be reached, without waiting for them: who must may wait for the tasks
        returned, which never fail."""
        others = [node for node in self._nodes if node != self.node and not self._closed]
        telling = {asyncio.ensure_future(self._tell(node, kind, body)) for node in others}
        for each in telling:
            self._telling.add(each)
            each.add_done_callback(self._telling.discard)
        return telling

    async def _tell(self, node: str, kind: str, body: bytes) -> None:
        try:
            await self.ask(node, kind, body)
        except PeerGone as gone:
            log.info("%s was not told of %s: %s", node, kind, gone)

    async def _reach(self, node: str) -> Asks:
        """The open connection to ``node``, made if need be by the first who wants it."""
        if self._closed or node not in self._nodes:
            raise PeerGone(f"{node} is no worker here", sent=False)
        opening = self._asks.get(node)
        if opening is None or _is_over(opening):
            opening = self._asks[node] = asyncio.ensure_future(self._connect(node))
        try:
            return await asyncio.shield(opening)
        except OSError as error:
            raise PeerGone(f"{node}: {error.strerror}", sent=False) from None

    async def _connect(self, node: str) -> Asks:
        asks = Asks()
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: asks.connection, str(self._place(node)))
        return asks

    def _incoming_connection(self) -> Connection:
        connection = Connection(self._take, self._lost)
        self._incoming.add(connection)
        return connection

    def _take(self, connection: Connection, frame: Frame) -> None:
        if isinstance(frame, Ask):
            self._work(connection, frame)
        elif isinstance(frame, Withdrawn):
            found = self._working.get((connection, frame.number))
            if found is not None:
                found.cancel()

    def _work(self, connection: Connection, asked: Ask) -> None:
        handler = self._handlers.get(asked.kind)
        if handler is None:
            connection.send(Failed(asked.number))
            return
        working = asyncio.ensure_future(
            handler(asked.body, lambda said: connection.send(Heard(asked.number, said)))
        )
        self._working[connection, asked.number] = working
        working.add_done_callback(partial(self._worked, connection, asked))

    def _worked(self, connection: Connection, asked: Ask, work: "asyncio.Future[bytes]") -> None:
        del self._working[connection, asked.number]
        if not work.cancelled() and work.exception() is None:
            connection.send(Done(asked.number, work.result()))
            return
        if not work.cancelled():
            log.error("%s for another worker failed", asked.kind, exc_info=work.exception())
        connection.send(Failed(asked.number))

    def _lost(self, connection: Connection) -> None:
        self._incoming.discard(connection)
        for (own, _), working in list(self._working.items()):
            if own is connection:
                working.cancel()

    def _place(self, node: str) -> Path:
        return self._folder / f"{node.rpartition('.')[2]}.sock"


def _is_over(opening: "asyncio.Task[Asks]") -> bool:
    """It failed, or the connection has ended since."""
    if not opening.done():
        return False
    return opening.cancelled() or bool(opening.exception()) or not opening.result().connection.open
