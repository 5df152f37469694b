"""Many JSON-RPC requests over one child's standard streams (MCP, "Transports", stdio).

Ids and progress tokens are ours: whatever several clients chose, no two in flight are the same.
"""

import asyncio
from itertools import count

import msgspec

from lockgate.model import SendFailed
from lockgate.upstream.child import Child
from lockgate.upstream.link import Progress
from lockgate.upstream.opening import refuse
from lockgate.wire import edit, jsonrpc
from lockgate.wire.jsonrpc import Message
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.streams import LineDecoder
from lockgate.wire.strict_json import Limits

CHUNK = 2**16
NOISE = 10_000
"""Messages nobody waits for, in a row, before the upstream counts as broken."""
UNREAD_BYTES = 2**20
"""Answers to the upstream's own requests that it may leave unread."""


class Waiting(msgspec.Struct):
    answer: "asyncio.Future[Message]"
    progress: Progress | None


class Channel:
    """Ends, and ends its child, at the first thing that is not MCP."""

    def __init__(self, child: Child, limits: Limits) -> None:
        self._child = child
        self._limits = limits
        self._ids = count(1)
        self._waiting: dict[int, Waiting] = {}
        self._tokens: dict[str, Waiting] = {}
        self._turn = asyncio.Lock()
        self._noise = 0
        self.failure: SendFailed | None = None
        """Why nothing can be sent any more."""
        self._reading = asyncio.create_task(self._read())
        self._running = asyncio.create_task(self._run())

    def new_token(self) -> str:
        """A progress token for the next request; unique on this channel."""
        return f"p{next(self._ids)}"

    async def call(
        self,
        method: str,
        params: bytes,
        *,
        seconds: float,
        token: str = "",
        progress: Progress | None = None,
    ) -> Message:
        """The response. A late one, after the deadline or a cancellation, is dropped.

        Raises ``SendFailed``.
        """
        if self.failure:
            raise SendFailed(*self.failure.args)
        number = next(self._ids)
        waiting = Waiting(asyncio.get_running_loop().create_future(), progress)
        self._waiting[number] = self._tokens[token] = waiting
        try:
            async with asyncio.timeout(seconds):
                await self._write(jsonrpc.encode_request(number, method, params))
                return await waiting.answer
        except TimeoutError:
            self._give_up(number, method, "deadline")
            raise SendFailed("upstream.timeout", f"{method}: {seconds:g} s") from None
        except asyncio.CancelledError:
            self._give_up(number, method, "cancelled by the client")
            raise
        finally:
            del self._waiting[number]
            self._tokens.pop(token, None)
            if waiting.answer.done() and not waiting.answer.cancelled():
                waiting.answer.exception()  # Seen, also where the deadline came first.

    def notify(self, method: str, params: bytes) -> None:
        self._post(jsonrpc.encode_notification(method, params))

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

    def _post(self, line: bytes) -> None:
        """Without waiting: from where nothing can wait."""
        stdin = self._child.stdin
        if self.failure or stdin.is_closing():
            return
        if stdin.transport.get_write_buffer_size() > self._limits.bytes + UNREAD_BYTES:
            self._fail("upstream.garbage", "sends, but does not read")
            return
        stdin.write(line + b"\n")

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
        if isinstance(failure, WireRefusal):
            large = failure.reason == "wire.too-large"
            reason = "upstream.too-large" if large else "upstream.garbage"
            self._fail(reason, f"{failure.reason}: {failure.detail}")
        elif failure:
            self._fail("upstream.crashed", f"reader failed: {type(failure).__name__}")
        status = await self._end()
        self._fail("upstream.crashed", f"ended with status {status}")

    async def _read(self) -> None:
        decoder = LineDecoder(self._limits.bytes)
        while data := await self._child.stdout.read(CHUNK):
            for line in decoder.feed(data):
                if line.strip() and self.failure is None:
                    self._receive(jsonrpc.parse(line, self._limits))

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
        self._noise += 1
        if self._noise > NOISE:
            self._fail("upstream.garbage", f"{NOISE} messages nobody asked for")
        elif message.id is not None:
            self._post(refuse(message.id, message.method))
        elif message.method == "notifications/progress":
            self._report(message)

    def _answer(self, message: Message) -> None:
        waiting = self._waiting.get(message.id) if isinstance(message.id, int) else None
        if message.id is None and len(self._waiting) == 1:
            # What old servers answer to a method they do not know, and it can be about one only.
            (waiting,) = self._waiting.values()
        if waiting and not waiting.answer.done():
            self._noise = 0
            waiting.answer.set_result(message)

    def _report(self, message: Message) -> None:
        raw = edit.get(message.params, "/progressToken")
        token = msgspec.json.decode(raw) if raw else None
        waiting = self._tokens.get(token) if token and isinstance(token, str) else None
        if waiting and waiting.progress and not waiting.answer.done():
            waiting.progress(message.method, edit.drop(message.params, "/progressToken"))

    def _fail(self, reason: str, detail: str) -> None:
        """The first failure is the one everybody is told."""
        if self.failure is None:
            self.failure = SendFailed(reason, detail)
            self._child.stdin.close()
            self._reading.cancel()
        for waiting in self._waiting.values():
            if not waiting.answer.done():
                waiting.answer.set_exception(SendFailed(*self.failure.args))
