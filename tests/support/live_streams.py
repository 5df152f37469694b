"""Streams of a client over real sockets, event by event."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from lockgate.wire.streams import SseDecoder, SseEvent
from support.client import LEGACY, McpClient, enveloped, mirror

LISTEN = "subscriptions/listen"
ALL_LISTS = {"notifications": {"toolsListChanged": True}}


class Stream:
    """One answer, event by event."""

    def __init__(self, response: Any) -> None:
        self.status = response.status
        self._reader = response.body_reader
        self._decoder = SseDecoder(2**20)
        self._waiting: list[SseEvent] = []

    async def next(self) -> SseEvent | None:
        """None at its end."""
        async with asyncio.timeout(15):
            while not self._waiting:
                chunk = await self._reader.read_chunk()
                if not chunk:
                    return None
                self._waiting += self._decoder.feed(bytes(chunk))
        return self._waiting.pop(0)

    async def end(self) -> None:
        while await self.next() is not None:
            pass


@asynccontextmanager
async def stream_of(client: McpClient, **more: str) -> AsyncIterator[Stream]:
    """The stream of the client's session."""
    said = {
        "authorization": f"Bearer {client.key}", "accept": "text/event-stream",
        "mcp-session-id": client.session, "mcp-protocol-version": LEGACY,
        **{name.replace("_", "-"): value for name, value in more.items()},
    }  # fmt: skip
    request = client.http.get(client.url).headers(said).streamed_read_buffer_limit(0)
    async with request.build_streamed() as response:
        yield Stream(response)


@asynccontextmanager
async def listening(client: McpClient) -> AsyncIterator[Stream]:
    body = {"jsonrpc": "2.0", "id": "L", "method": LISTEN, "params": enveloped(ALL_LISTS)}
    said = {
        "authorization": f"Bearer {client.key}", "accept": "application/json, text/event-stream",
        "content-type": "application/json", **mirror(LISTEN, {}),
    }  # fmt: skip
    request = client.http.post(client.url).headers(said).body_bytes(orjson.dumps(body))
    async with request.streamed_read_buffer_limit(0).build_streamed() as response:
        yield Stream(response)
