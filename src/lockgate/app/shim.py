"""Carries a stdio client's lines to a gateway over HTTP, and back what comes for it.

Part of ``lockgate stdio``, so it imports none of the gateway's engines.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
from pyreqwest.client import Client
from pyreqwest.exceptions import PyreqwestError

from lockgate.app.bearer import Bearer, NotSignedIn
from lockgate.app.underway import (
    INITIALIZED,
    LISTEN,
    Opening,
    Underway,
    addressed,
    is_modern,
    peek,
    version_in,
)
from lockgate.wire import edit
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.streams import SseDecoder, encode_line

MOST_BYTES = 16 * 2**20
"""Of one message."""
RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 30.0
"""Before the session's stream is opened again, where the gateway does not say when."""

_LAST_ANSWERS_SECONDS = 5.0
_LAST_STREAM_SECONDS = 1.0
_ACCEPTED = (202, 204)
_POSTED = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
}
_GONE, _PASSING = 410, (408, 425, 429)
_FAILED = b'{"jsonrpc":"2.0","id":%b,"error":{"code":-31000,"message":%b}}\n'
_UNREACHABLE = "The gateway cannot be reached. Ask the operator whether Lockgate is running."


class NotMcp(Exception):
    """What answered is no MCP endpoint."""


FAILURES = (PyreqwestError, WireRefusal, NotMcp, NotSignedIn)


class Shim:
    """Lines in, POSTs out; answers and notifications back as lines, also those that come on the
    stream of a legacy session.

    ``write`` takes one whole line. Modern requests are cancelled by closing their stream, as their
    transport does (MCP 2026-07-28, Cancellation); legacy cancellation is a message of its own.

    The credential may change from one request to the next; a session and what a client listens to
    belong to who sends it, so they live on. A stream that ends with an old credential is taken up
    again with the new one.
    """

    def __init__(
        self, client: Client, url: str, bearer: Bearer, write: Callable[[bytes], None]
    ) -> None:
        self._client = client
        self._url = url
        self._bearer = bearer
        self._write = write
        self._opening = Opening()
        self._reopening = asyncio.Lock()
        self._modern: dict[bytes, Underway] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stream: asyncio.Task[None] | None = None

    async def take(self, line: bytes) -> None:
        """One message. ``initialize`` is awaited: what follows needs its session."""
        said = Underway(line)
        if said.method == "notifications/cancelled" and self._cancel(line):
            return
        task = said.run(self._forward(said))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        id = said.id
        if id is not None and is_modern(said.fields):
            self._modern[id] = said
            task.add_done_callback(lambda _: self._modern.pop(id, None))
        if said.method == "initialize":
            await task

    async def finish(self) -> None:
        """The client closed its end: let what runs be answered, then end the session."""
        for said in list(self._modern.values()):
            if said.method == LISTEN:
                said.cancel()  # nobody but its client ever ends it
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LAST_ANSWERS_SECONDS)
        if self._stream is not None:
            self._stream.cancel()
        if self._opening.session:
            with suppress(*FAILURES):
                async with self._answered("delete", self._opening.session):
                    """Whatever it says, there is nothing more to do."""
        if self._stream is not None:
            await asyncio.wait({self._stream}, timeout=_LAST_STREAM_SECONDS)

    def _cancel(self, line: bytes) -> bool:
        running = self._modern.get(edit.get(line, "/params/requestId") or b"")
        if running is not None:
            running.cancel()
        return running is not None

    async def _forward(self, said: Underway) -> None:
        try:
            await self._post(said)
            while said.unanswered and said.method == LISTEN:
                await asyncio.sleep(RETRY_SECONDS)
                await self._post(said)
        except FAILURES as failure:
            known = isinstance(failure, NotSignedIn)
            why = str(failure) if known else type(failure).__name__
            complain(f"no answer from the gateway at {self._url}: {why}")
            if said.id is not None and not said.cancelled:
                text = orjson.dumps(str(failure) if known else _UNREACHABLE)
                self._write(_FAILED % (said.id, text))

    async def _post(self, said: Underway, *, again: bool = False) -> None:
        session = self._opening.session
        async with self._posting(said.line, session) as response:
            said.begin()
            if said.cancelled:
                return
            if decoder := _decoder(response):
                await self._relay(response, decoder, said)
            else:
                body = bytes(await response.bytes())
        if decoder:
            await self._rest(said, session, decoder)
            return
        if said.method == "initialize":
            given = response.headers.get("mcp-session-id")
            if given:
                self._opening.opened(said.line, given, body)
        elif response.status == 404 and session and said.method and not again:
            if await self._reopened(session):
                await self._post(said, again=True)
                return
        else:
            self._passed(said)
        self._answer(said, response.status, body)

    def _passed(self, said: Underway) -> None:
        """The gateway has taken it."""
        self._opening.note(said)
        if said.method == INITIALIZED and self._opening.session and self._stream is None:
            self._stream = asyncio.create_task(self._attend())

    def _answer(self, said: Underway, status: int, body: bytes) -> None:
        said.answered = True
        if not body and status in _ACCEPTED:
            return
        if "jsonrpc" not in peek(body):
            raise NotMcp
        if said.id is not None or said.method is None:  # to what asks nothing, nothing is said
            self._write(encode_line(addressed(body, said.id)))

    async def _reopened(self, lost: str) -> bool:
        """Whether there is a session again that is like the one that was lost."""
        opening = self._opening
        async with self._reopening:
            if opening.session != lost:
                return True
            async with self._posting(opening.line, "") as response:
                given = response.headers.get("mcp-session-id")
                body = bytes(await response.bytes())
            if not given or version_in(body) != opening.version:
                return False
            opening.session = given
            for line in opening.again:
                async with self._posting(line, given) as response:
                    await response.bytes()
            return True

    # The session's own stream.

    async def _attend(self) -> None:
        """Until the gateway says that there is none. Whatever breaks it, it is taken up again."""
        session, last, retry, wait = self._opening.session, "", RETRY_SECONDS, 0.0
        while True:
            status, decoder = 0, SseDecoder(MOST_BYTES)
            with suppress(*FAILURES):
                status = await self._listen(session, last, decoder)
                if status == 404 and not await self._reopened(session):
                    return
            if _is_final(status):
                return
            known = session == self._opening.session and status != _GONE
            session, last = self._opening.session, (decoder.last_id or last) if known else ""
            retry = retry if decoder.retry is None else decoder.retry / 1000
            answered = status in (200, 404, _GONE)
            wait = retry if answered else min(max(2 * wait, retry), LONGEST_RETRY_SECONDS)
            await asyncio.sleep(wait)

    async def _listen(
        self, session: str, last: str, decoder: SseDecoder, said: Underway | None = None
    ) -> int:
        """From event ``last`` on. The status of the answer, when it has ended."""
        headers = {"accept": "text/event-stream", **({"last-event-id": last} if last else {})}
        async with self._answered("get", session, headers) as response:
            if _decoder(response):
                await self._relay(response, decoder, said)
            return int(response.status)

    async def _relay(
        self, response: Any, decoder: SseDecoder, said: Underway | None = None
    ) -> None:
        while chunk := await response.body_reader.read_chunk():
            if said is not None and said.cancelled:
                return  # pyreqwest 0.15 loses the cancellation of a task that meets a chunk
            for event in decoder.feed(bytes(chunk)):
                if event.data:  # without, it only names a place in the stream
                    self._write(encode_line(event.data))
                    if said is not None:
                        said.hear(event.data)

    async def _rest(self, said: Underway, session: str, decoder: SseDecoder) -> None:
        """What is missing when the stream of an answer has ended: as it does with the credential
        that began it, while the call goes on. Modern streams cannot be taken up again."""
        while said.unanswered and said.method != LISTEN:
            if not decoder.last_id:
                raise NotMcp
            await asyncio.sleep(RETRY_SECONDS if decoder.retry is None else decoder.retry / 1000)
            status = await self._listen(session, decoder.last_id, decoder, said)
            if status != 200 and said.unanswered:
                raise NotMcp

    def _posting(self, line: bytes, session: str) -> Any:
        return self._answered("post", session, _POSTED, line)

    @asynccontextmanager
    async def _answered(
        self, verb: str, session: str, headers: Mapping[str, str] = {}, body: bytes = b""
    ) -> AsyncIterator[Any]:  # fmt: skip
        """The response. What is refused for its credential has not been processed: it is sent once
        more where there is another one."""
        token = await self._bearer.current()
        async with self._request(verb, session, headers, body, token) as response:
            other = await self._bearer.instead_of(token) if response.status == 401 else ""
            if not other:
                yield response
                return
        async with self._request(verb, session, headers, body, other) as response:
            yield response

    def _request(
        self, verb: str, session: str, headers: Mapping[str, str], body: bytes, token: str
    ) -> Any:
        request = getattr(self._client, verb)(self._url).headers(
            {**headers, "authorization": f"Bearer {token}", "lockgate-transport": "stdio"}
        )
        if session:
            request = request.header("mcp-session-id", session)
        if body:
            request = request.body_bytes(body)
        # A buffer would hold notifications back until it is full.
        return request.streamed_read_buffer_limit(0).build_streamed()


def complain(text: str) -> None:
    sys.stderr.write(f"lockgate stdio: {text}\n")


def _decoder(response: Any) -> SseDecoder | None:
    """For what comes as a stream."""
    kind = response.headers.get("content-type") or ""
    return SseDecoder(MOST_BYTES) if kind.startswith("text/event-stream") else None


def _is_final(status: int) -> bool:
    return 300 <= status < 500 and status not in (404, _GONE, *_PASSING)
