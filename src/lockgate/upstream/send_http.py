"""Upstreams behind a streamable HTTP endpoint, in both eras.

Legacy servers may keep a session; when one is lost (HTTP 404) it is opened anew, once, unseen by
the caller: a request that was answered 404 has not been processed. Modern ones keep nothing.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
import orjson

from lockgate.model import Envelope, SendFailed, Tool
from lockgate.upstream.credential import Bearer
from lockgate.upstream.deadline import Deadline
from lockgate.upstream.declared import declared
from lockgate.upstream.endpoint import Endpoint
from lockgate.upstream.exchange import Answer
from lockgate.upstream.handshake_http import Opening, agree, check_served, initialize
from lockgate.upstream.http1 import HttpClient
from lockgate.upstream.link import Hears, LinkReply, Peer
from lockgate.upstream.listen import LISTEN, SUBSCRIBE, WATCH, Listen, subscribed
from lockgate.upstream.log_level import LogLevel
from lockgate.upstream.opening import CLIENT_INFO, EraMemory, preferred_era, speaking, told
from lockgate.upstream.session_stream import SessionStream
from lockgate.upstream.target import HttpTarget, Registered
from lockgate.upstream.traffic import Held, Traffic
from lockgate.wire import bridge, edit, jsonrpc
from lockgate.wire.capabilities import NOTHING

UNSUPPORTED_VERSION = -32022


class Asked(msgspec.Struct, frozen=True):
    """One request as it was put to the link."""

    method: str
    params: bytes
    envelope: Envelope
    deadline: Deadline
    schema: bytes | None = None
    hears: Hears | None = None


class HttpLink:
    """One upstream endpoint that agreed on a version, and its session if it keeps one."""

    def __init__(
        self,
        endpoint: Endpoint,
        registered: Registered,
        held: Held,
        memory: EraMemory,
        opened: Opening,
    ) -> None:
        self._endpoint = endpoint
        self._registered = registered
        self._held = held
        self._memory = memory
        self._opened = opened
        self._level = LogLevel(opened.peer)
        self._traffic = Traffic(held, opened.peer, self._say)
        self._told = declared(opened.peer.capabilities)
        self._uris: frozenset[str] = frozenset()
        self._listen = None
        self._stream: SessionStream | None = None
        self._background: set[asyncio.Task[None]] = set()
        if opened.peer.era == "modern":
            self._listen = Listen(held, self._told, endpoint.new_id, self._ask_listen)
            self._listen.start()
        self._attend()
        self._reopening = asyncio.Lock()
        self._deadlines: set[Deadline] = set()
        self._broken = False

    @property
    def peer(self) -> Peer:
        return self._opened.peer

    @property
    def broken(self) -> bool:
        return self._broken

    @property
    def subscribed(self) -> frozenset[str]:
        return self._listen.uris if self._listen else self._uris

    async def request(
        self,
        method: str,
        params: bytes,
        *,
        tool: Tool | None = None,
        hears: Hears | None = None,
        envelope: Envelope,
    ) -> LinkReply:
        """See ``Link.request``."""
        if self._broken:
            raise SendFailed("upstream.crashed", "closed by the gateway")
        deadline = Deadline(self._registered.bounds.call_seconds)
        schema = tool.schema if tool else None
        asked = Asked(method, params, envelope, deadline, schema, hears)
        self._deadlines.add(deadline)
        try:
            async with deadline:
                return await self._serve(asked)
        except TimeoutError:
            if self._broken:
                raise SendFailed("upstream.crashed", "closed by the gateway") from None
            raise SendFailed("upstream.timeout", f"{method}: {deadline.seconds:g} s") from None
        finally:
            self._deadlines.discard(deadline)

    async def close(self) -> None:
        if self._broken:
            return
        self._broken = True
        for deadline in self._deadlines:
            deadline.expire()
        for ending in (self._listen, self._stream):
            if ending:
                ending.stop()
        for task in self._background:
            task.cancel()
        await self._endpoint.close(self._opened.headers if self._opened.session else None)

    async def _serve(self, asked: Asked) -> LinkReply:
        if self._listen and asked.method in WATCH:
            return await self._listen.request(asked.method, asked.params)
        reply = _reply(await self._ask(asked))
        self._uris = subscribed(self._uris, asked.method, asked.params, reply)
        return reply

    async def _ask(self, asked: Asked) -> Answer:
        opened = self._opened
        answer = await self._ask_levelled(opened, asked)
        if answer.status == 404 and opened.session:
            await self._reopen(opened)
            answer = await self._ask_levelled(self._opened, asked)
        if _code(answer) == UNSUPPORTED_VERSION:
            # It was upgraded, or downgraded, under us: the next call opens it anew.
            self._broken = True
            self._memory.forget(self._registered.name)
        return answer

    async def _ask_levelled(self, opened: Opening, asked: Asked) -> Answer:
        async def ask(method: str, params: bytes) -> None:
            await self._ask_once(opened, Asked(method, params, asked.envelope, asked.deadline))

        if asked.hears:
            await self._level.reach(asked.envelope.log_level, ask)
        return await self._ask_once(opened, asked)

    async def _ask_once(self, opened: Opening, asked: Asked) -> Answer:
        era, number = opened.peer.era, self._endpoint.new_id()
        shaped = bridge.request_params(
            era,
            asked.params,
            asked.envelope,
            client_info=CLIENT_INFO,
            progress=number if asked.hears and asked.envelope.progress else None,
        )
        headers = bridge.request_headers(
            era, opened.peer.version, asked.method, shaped, asked.schema
        )
        headers |= opened.headers
        with self._traffic.request(number, asked.hears, asked.envelope, asked.deadline) as running:
            try:
                return await self._endpoint.ask(
                    number,
                    asked.method,
                    shaped,
                    headers,
                    heard=partial(self._traffic.hear, own=running),
                )
            except asyncio.CancelledError:
                # To a modern server the closed stream says it (MCP 2026-07-28, "Cancellation").
                if era == "legacy":
                    said = msgspec.json.encode({"requestId": number})
                    cancelled = jsonrpc.encode_notification("notifications/cancelled", said)
                    self._endpoint.tell_later(cancelled, opened.headers)
                raise

    async def _ask_listen(self, number: int, params: bytes) -> LinkReply:
        assert self._listen  # noqa: S101 - it asks
        said, version = speaking(self._held.terms), self.peer.version
        shaped = bridge.request_params(
            "modern", params, said, client_info=CLIENT_INFO, progress=None
        )
        headers = bridge.request_headers("modern", version, LISTEN, shaped)
        hear = self._listen.hear
        return _reply(await self._endpoint.ask(number, LISTEN, shaped, headers, hear, endless=True))

    def _attend(self) -> None:
        """Hear what belongs to no request: what is told of its own accord, and questions."""
        if self._stream:
            self._stream.stop()
        terms, opened = self._held.terms, self._opened
        asks = told(terms, "legacy") != NOTHING
        if opened.peer.era == "legacy" and (asks or self._told.anything):
            self._stream = SessionStream(
                self._endpoint,
                opened,
                self._traffic.hear,
                missed=lambda: self._held.missed(self._told.kinds, self._uris),
                lost=lambda: self._spawn(self._recover(opened)),
            )

    async def _recover(self, lost: Opening) -> None:
        """The session is gone, and no request is there to notice."""
        with suppress(SendFailed, TimeoutError):
            async with asyncio.timeout(self._registered.bounds.connect_seconds):
                await self._reopen(lost)

    async def _resubscribe(self) -> None:
        """In a new session. What changed in between nobody told."""
        said = speaking(self._held.terms)
        for uri in sorted(self._uris):
            params = orjson.dumps({"uri": uri})
            asked = Asked(SUBSCRIBE, params, said, Deadline(self._registered.bounds.call_seconds))
            with suppress(SendFailed, TimeoutError):
                async with asked.deadline:
                    await self._ask_once(self._opened, asked)
        self._held.missed(self._told.kinds, self._uris)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _say(self, message: bytes) -> None:
        self._endpoint.tell_later(message, self._opened.headers)

    async def _reopen(self, lost: Opening) -> None:
        async with self._reopening:
            if self._opened is not lost:
                return
            try:
                # Under the deadline of the request that found it lost.
                self._opened = await initialize(self._endpoint, self._held.terms)
                self._level = LogLevel(self._opened.peer)
                self._attend()
                self._spawn(self._resubscribe())
            except SendFailed:
                self._broken = True
                self._memory.forget(self._registered.name)
                raise


async def open_http(
    registered: Registered,
    held: Held,
    target: HttpTarget,
    client: HttpClient,
    memory: EraMemory,
    bearer: Bearer | None = None,
) -> HttpLink:
    """Agree on a version with the endpoint. Its era is probed once, then remembered.

    Raises ``SendFailed``. What keeps us from reaching it says nothing about its era.
    """
    endpoint = Endpoint(client, target, registered.bounds, bearer)
    known, seconds = memory.recall(registered, held.terms), registered.bounds.connect_seconds
    wished = preferred_era(held.terms)
    try:
        opened = await agree(endpoint, held.terms, known or wished, seconds)
    except SendFailed as failure:
        if failure.reason != "upstream.timeout":
            memory.forget(registered.name)
        if known or wished is None or failure.reason != "upstream.garbage":
            raise
        opened = await agree(endpoint, held.terms, None, seconds)  # it takes no initialize
    memory.learn(registered, opened.peer.era, held.terms)
    return HttpLink(endpoint, registered, held, memory, opened)


def _reply(answer: Answer) -> LinkReply:
    """Also an HTTP error may carry a JSON-RPC answer, and then it is one."""
    check_served(answer)
    message = answer.message
    if message is None:
        reason = "upstream.garbage" if answer.status < 300 else "upstream.unreachable"
        raise SendFailed(reason, f"HTTP {answer.status} without an answer")
    if message.error is not None:
        return LinkReply(message.error, is_error=True)
    return LinkReply(message.result or b"{}")


def _code(answer: Answer) -> object:
    error = answer.message.error if answer.message else None
    return orjson.loads(edit.get(error, "/code") or b"null") if error else None
