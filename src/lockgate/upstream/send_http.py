"""Upstreams behind a streamable HTTP endpoint, in both eras.

Legacy servers may keep a session; when one is lost (HTTP 404) it is opened anew, once, unseen by
the caller: a request that was answered 404 has not been processed. Modern ones keep nothing.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import msgspec
import orjson
from pyreqwest.client import Client, ClientBuilder

from lockgate.model import Envelope, SendFailed, Tool
from lockgate.model.call import EraName
from lockgate.upstream.endpoint import Endpoint
from lockgate.upstream.exchange import Answer
from lockgate.upstream.link import LinkReply, Peer, Progress
from lockgate.upstream.opening import (
    CAPABILITIES,
    CLIENT_INFO,
    INITIALIZED,
    EraMemory,
    discover_params,
    initialize_params,
    read_discover,
    read_initialize,
    refuse,
)
from lockgate.upstream.target import Bounds, HttpTarget, Registered
from lockgate.wire import bridge, edit, era_2025_11, era_2026_07, jsonrpc
from lockgate.wire.jsonrpc import Message

SESSION = "Mcp-Session-Id"
UNSUPPORTED_VERSION = -32022


def build_client(bounds: Bounds) -> Client:
    """The one connection pool of an upstream: building one costs 34 ms of CPU.

    It follows no redirect, keeps no cookie, takes no proxy from the environment, and inflates
    nothing, so that the cap on an answer counts what is really there.
    """
    builder = ClientBuilder().follow_redirects(False).no_proxy().referer(False)
    builder = builder.default_cookie_store(False).user_agent("lockgate")
    builder = builder.gzip(False).brotli(False).zstd(False).deflate(False)
    return builder.connect_timeout(timedelta(seconds=min(10.0, bounds.connect_seconds))).build()


class HttpLink:
    """One upstream endpoint that agreed on a version, and its session if it keeps one."""

    def __init__(
        self, endpoint: Endpoint, registered: Registered, memory: EraMemory, opened: "Opening"
    ) -> None:
        self._endpoint = endpoint
        self._registered = registered
        self._memory = memory
        self._opened = opened
        self._reopening = asyncio.Lock()
        self._deadlines: set[asyncio.Timeout] = set()
        self._broken = False

    @property
    def peer(self) -> Peer:
        return self._opened.peer

    @property
    def broken(self) -> bool:
        return self._broken

    async def request(
        self,
        method: str,
        params: bytes,
        *,
        tool: Tool | None = None,
        progress: Progress | None = None,
        envelope: Envelope,  # noqa: ARG002 - nothing of the client's is passed on yet
    ) -> LinkReply:
        """See ``Link.request``."""
        if self._broken:
            raise SendFailed("upstream.crashed", "closed by the gateway")
        seconds = self._registered.bounds.call_seconds
        deadline = asyncio.timeout(seconds)
        self._deadlines.add(deadline)
        try:
            async with deadline:
                return _reply(await self._ask(method, params, tool, progress))
        except TimeoutError:
            if self._broken:
                raise SendFailed("upstream.crashed", "closed by the gateway") from None
            raise SendFailed("upstream.timeout", f"{method}: {seconds:g} s") from None
        finally:
            self._deadlines.discard(deadline)

    async def close(self) -> None:
        if self._broken:
            return
        self._broken = True
        now = asyncio.get_running_loop().time()
        for deadline in self._deadlines:
            deadline.reschedule(now)
        await self._endpoint.close(self._opened.headers if self._opened.session else None)

    async def _ask(
        self, method: str, params: bytes, tool: Tool | None, progress: Progress | None
    ) -> Answer:
        opened = self._opened
        answer = await self._ask_once(opened, method, params, tool, progress)
        if answer.status == 404 and opened.session:
            await self._reopen(opened)
            answer = await self._ask_once(self._opened, method, params, tool, progress)
        if _code(answer) == UNSUPPORTED_VERSION:
            # It was upgraded, or downgraded, under us: the next call opens it anew.
            self._broken = True
            self._memory.forget(self._registered.name)
        return answer

    async def _ask_once(
        self,
        opened: "Opening",
        method: str,
        params: bytes,
        tool: Tool | None,
        progress: Progress | None,
    ) -> Answer:
        era, number = opened.peer.era, self._endpoint.new_id()
        shaped = bridge.request_params(
            era,
            params,
            client_info=CLIENT_INFO,
            capabilities=CAPABILITIES,
            progress=number if progress else None,
        )
        schema = tool.schema if tool else None
        headers = bridge.request_headers(era, opened.peer.version, method, shaped, schema)
        headers |= opened.headers
        hearing = Hearing(self._endpoint, opened.headers, number, progress)
        try:
            seconds = self._registered.bounds.call_seconds
            return await self._endpoint.ask(
                number, method, shaped, headers, seconds=seconds, heard=hearing
            )
        except asyncio.CancelledError:
            # To a modern server the closed stream says it (MCP 2026-07-28, "Cancellation").
            if era == "legacy":
                said = msgspec.json.encode({"requestId": number})
                cancelled = jsonrpc.encode_notification("notifications/cancelled", said)
                self._endpoint.tell_later(cancelled, opened.headers)
            raise

    async def _reopen(self, lost: "Opening") -> None:
        async with self._reopening:
            if self._opened is not lost:
                return
            try:
                seconds = self._registered.bounds.connect_seconds
                self._opened = await _initialize(self._endpoint, seconds)
            except SendFailed:
                self._broken = True
                self._memory.forget(self._registered.name)
                raise


class Opening(msgspec.Struct, frozen=True):
    """What was agreed when the link was opened."""

    peer: Peer
    session: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What every later message carries."""
        if self.peer.era == "modern":
            return {}
        said = era_2025_11.request_headers(self.peer.version)
        return {**said, SESSION: self.session} if self.session else said


class Hearing:
    """What to do with the messages that come on a request's stream before its response."""

    def __init__(
        self,
        endpoint: Endpoint,
        headers: Mapping[str, str],
        number: int,
        progress: Progress | None,
    ) -> None:
        self._endpoint = endpoint
        self._headers = headers
        self._number = number
        self._progress = progress

    def __call__(self, message: Message) -> None:
        if message.kind == "request" and message.id is not None:
            self._endpoint.tell_later(refuse(message.id, message.method), self._headers)
        elif message.method == "notifications/progress":
            self._report(message)
        elif message.method == "notifications/message" and self._progress:
            self._progress(message.method, message.params)

    def _report(self, message: Message) -> None:
        token = edit.get(message.params, "/progressToken")
        if self._progress and token == b"%d" % self._number:
            self._progress(message.method, edit.drop(message.params, "/progressToken"))


async def open_http(
    registered: Registered, target: HttpTarget, client: Client, memory: EraMemory
) -> HttpLink:
    """Agree on a version with the endpoint. Its era is probed once, then remembered.

    Raises ``SendFailed``. What keeps us from reaching it says nothing about its era.
    """
    endpoint = Endpoint(client, target, registered.bounds)
    seconds = registered.bounds.connect_seconds
    try:
        async with asyncio.timeout(seconds):
            opened = await _agree(endpoint, memory.recall(registered), seconds)
    except TimeoutError:
        raise SendFailed("upstream.timeout", f"no agreement in {seconds:g} s") from None
    except SendFailed:
        memory.forget(registered.name)
        raise
    memory.learn(registered, opened.peer.era)
    return HttpLink(endpoint, registered, memory, opened)


async def _agree(endpoint: Endpoint, era: EraName | None, seconds: float) -> Opening:
    peer = None if era == "legacy" else await _discover(endpoint, seconds)
    return Opening(peer) if peer else await _initialize(endpoint, seconds)


async def _discover(endpoint: Endpoint, seconds: float) -> Peer | None:
    params = discover_params()
    headers = bridge.request_headers("modern", era_2026_07.VERSION, "server/discover", params)
    try:
        number = endpoint.new_id()
        answer = await endpoint.ask(number, "server/discover", params, headers, seconds=seconds)
    except SendFailed as failure:
        if failure.reason == "upstream.garbage":
            return None
        raise
    _check_served(answer)
    return read_discover(answer.message) if answer.message else None


async def _initialize(endpoint: Endpoint, seconds: float) -> Opening:
    number, params = endpoint.new_id(), initialize_params()
    answer = await endpoint.ask(number, "initialize", params, {}, seconds=seconds)
    _check_served(answer)
    if answer.message is None:
        raise SendFailed("upstream.garbage", f"initialize answered with HTTP {answer.status} only")
    opened = Opening(read_initialize(answer.message), answer.session or "")
    await endpoint.tell(jsonrpc.encode_notification(INITIALIZED, b"{}"), opened.headers)
    return opened


def _reply(answer: Answer) -> LinkReply:
    """Also an HTTP error may carry a JSON-RPC answer, and then it is one."""
    _check_served(answer)
    message = answer.message
    if message is None:
        reason = "upstream.garbage" if answer.status < 300 else "upstream.unreachable"
        raise SendFailed(reason, f"HTTP {answer.status} without an answer")
    if message.error is not None:
        return LinkReply(message.error, is_error=True)
    return LinkReply(message.result or b"{}")


def _check_served(answer: Answer) -> None:
    """Raises ``SendFailed`` for what comes from before the MCP server, or instead of it."""
    status = answer.status
    if status in (401, 403):
        raise SendFailed("upstream.credential", f"HTTP {status}")
    if 300 <= status < 400:
        raise SendFailed("upstream.unreachable", f"HTTP {status}: redirects are not followed")
    if status >= 500 and answer.message is None:
        raise SendFailed("upstream.unreachable", f"HTTP {status}")


def _code(answer: Answer) -> object:
    error = answer.message.error if answer.message else None
    return orjson.loads(edit.get(error, "/code") or b"null") if error else None
