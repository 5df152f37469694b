"""Many JSON-RPC requests over one child's standard streams (MCP, "Transports", stdio).

Ids are ours: whatever several clients chose, no two in flight are the same.
"""

import asyncio
from collections.abc import Callable
from itertools import count

import msgspec

from lockgate.model import SendFailed
from lockgate.upstream.child import Child
from lockgate.upstream.deadline import Deadline
from lockgate.upstream.lines import Endless, Line, Lines
from lockgate.upstream.opening import refuse
from lockgate.wire import jsonrpc
from lockgate.wire.jsonrpc import Message
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import Limits

CHUNK = 2**16
NOISE = 10_000
"""Messages nobody waits for, in a row within ``NOISE_SECONDS``, before the upstream counts as
broken."""
NOISE_SECONDS = 10.0
ENDLESS_FACTOR = 4
"""How far over the limit a line may go on until the upstream counts as broken."""
BANNER_LINES, BANNER_BYTES = 64, 2**16
"""That are no JSON, before the first message."""
UNREAD_BYTES = 2**20
"""Answers to the upstream's own requests that it may leave unread."""


_MEANING = {126: ": it could not be started", 127: ": the program was not found"}
"""By convention of shells, and of the keeper."""


class Channel:
    """Ends, and ends its child, at the first thing that is not MCP and not about one call only."""

    def __init__(self, child: Child, limits: Limits) -> None:
        self._child = child
        self._limits = limits
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._turn = asyncio.Lock()
        self._banner_left = BANNER_BYTES
        self._banner_lines = 0
        self._noise = 0
        self._noise_since = asyncio.get_running_loop().time()
        self.failure: SendFailed | None = None
        """Why nothing can be sent any more."""
        self.hear: Callable[[Message], None] = self._refuse
        """Told each request and notification of the upstream."""
        self._reading = asyncio.create_task(self._read())
        self._running = asyncio.create_task(self._run())

    def new_id(self) -> int:
        return next(self._ids)

    async def call(self, method: str, params: bytes, *, seconds: float) -> Message:
        """As ``ask``, with an id and a deadline of its own."""
        return await self.ask(self.new_id(), method, params, Deadline(seconds))

    async def ask(self, number: int, method: str, params: bytes, deadline: Deadline) -> Message:
        """The response. A late one, after the deadline or a cancellation, is dropped.

        Raises ``SendFailed``.
        """
        if self.failure:
            raise SendFailed(*self.failure.args)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with deadline:
                await self._write(jsonrpc.encode_request(number, method, params))
                return await answer
        except TimeoutError:
            self._give_up(number, method, "deadline")
            raise SendFailed("upstream.timeout", f"{method}: {deadline.seconds:g} s") from None
        except asyncio.CancelledError:
            self._give_up(number, method, "cancelled by the client")
            raise
        finally:
            del self._waiting[number]
            if answer.done() and not answer.cancelled():
                answer.exception()  # Seen, also where the deadline came first.

    def notify(self, method: str, params: bytes) -> None:
        self.post(jsonrpc.encode_notification(method, params))

    def post(self, line: bytes) -> None:
        """Without waiting: from where nothing can wait."""
        stdin = self._child.stdin
        if self.failure or stdin.is_closing():
            return
        if stdin.transport.get_write_buffer_size() > self._limits.bytes + UNREAD_BYTES:
            self._fail("upstream.garbage", "sends, but does not read")
            return
        stdin.write(line + b"\n")

    async def close(self) -> None:
        """End the child. Everything in flight fails with ``upstream.crashed``."""
        self._fail("upstream.crashed", "closed by the gateway")
        # Not awaited itself: cancelling us must not stop the ending.
        await asyncio.wait({self._running})

    async def _write(self, line: bytes) -> None:
        # One at a time, so that a child that does not read leaves at most one message buffered.
        async with self._turn:
            try:
                self._child.stdin.write(line + b"\n")
                await self._child.stdin.drain()
            except (ConnectionError, RuntimeError):
                # It closed its end. The reader is about to see it go, and says so to everyone.
                return

    def _give_up(self, number: int, method: str, why: str) -> None:
        # MCP 2025-11-25, "Cancellation": initialize is never cancelled.
        if method == "initialize":
            return
        params = msgspec.json.encode({"requestId": number, "reason": why})
        self.notify("notifications/cancelled", params)

    async def _run(self) -> None:
        """Watch the reader until the child ends or misbehaves, then end the child."""
        await asyncio.wait({self._reading})
        failure = None if self._reading.cancelled() else self._reading.exception()
        if isinstance(failure, Endless):
            self._fail("upstream.too-large", "a line without end")
        elif failure:
            self._fail("upstream.crashed", f"reader failed: {type(failure).__name__}")
        status = await self._end()
        self._fail("upstream.crashed", f"ended with status {status}{_MEANING.get(status, '')}")

    async def _read(self) -> None:
        most = self._limits.bytes
        lines = Lines(most, ENDLESS_FACTOR * most)
        while data := await self._child.stdout.read(CHUNK):
            for line in lines.feed(data):
                if self.failure is None:
                    self._read_line(line)

    def _read_line(self, line: Line) -> None:
        if not line.whole:
            detail = f"more than {self._limits.bytes} bytes"
            self._unreadable(line.number, "upstream.too-large", detail)
            return
        try:
            message = jsonrpc.parse(line.text, self._limits)
        except WireRefusal as refusal:
            if refusal.reason == "wire.not-json" and self._is_banner(line.text):
                return
            number = refusal.id if isinstance(refusal.id, int) else line.number
            self._unreadable(number, "upstream.garbage", f"{refusal.reason}: {refusal.detail}")
        else:
            self._banner_left = 0
            self._receive(message)

    def _is_banner(self, text: bytes) -> bool:
        """Some programs greet on stdout before they speak MCP. That is borne, up to a limit."""
        self._banner_lines += 1
        self._banner_left -= len(text)
        return self._banner_left > 0 and self._banner_lines <= BANNER_LINES

    def _unreadable(self, number: int | None, reason: str, detail: str) -> None:
        """Fails the call that a line was for. Where it cannot be told which, the channel."""
        if number is None:
            self._fail(reason, detail)
            return
        answer = self._waiting.get(number)
        if answer and not answer.done():
            answer.set_exception(SendFailed(reason, detail))
        self._count_noise()

    async def _end(self) -> int:
        # What it still writes is thrown away: an unread pipe would keep it from ending.
        draining = asyncio.create_task(self._discard())
        status = await self._child.stop()
        await draining
        return status

    async def _discard(self) -> None:
        while await self._child.stdout.read(CHUNK):
            pass

    def _receive(self, message: Message) -> None:
        if message.kind == "response":
            self._answer(message)
            return
        self._count_noise()
        if not self.failure:
            self.hear(message)

    def _refuse(self, message: Message) -> None:
        if message.id is not None:
            self.post(refuse(message.id, message.method))

    def _count_noise(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._noise_since > NOISE_SECONDS:
            self._noise, self._noise_since = 0, now
        self._noise += 1
        if self._noise > NOISE:
            self._fail("upstream.garbage", f"{NOISE} messages nobody asked for")

    def _answer(self, message: Message) -> None:
        answer = self._waiting.get(message.id) if isinstance(message.id, int) else None
        if message.id is None and len(self._waiting) == 1:
            # What old servers answer to a method they do not know, and it can be about one only.
            (answer,) = self._waiting.values()
        if answer and not answer.done():
            self._noise = 0
            answer.set_result(message)

    def _fail(self, reason: str, detail: str) -> None:
        """The first failure is the one that is kept. A call alone is told it; of several, all but
        one have nothing to do with it, and nobody knows which: they are told of a crash."""
        if self.failure is None:
            self.failure = SendFailed(reason, detail)
            self._child.stdin.close()
            self._reading.cancel()
        left = [one for one in self._waiting.values() if not one.done()]
        for answer in left:
            shared = SendFailed("upstream.crashed", "the connection broke")
            answer.set_exception(SendFailed(*self.failure.args) if len(left) == 1 else shared)
