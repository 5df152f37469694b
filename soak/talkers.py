"""Clients of a soak: either era, over HTTP and through ``lockgate stdio``."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from pyreqwest.client import Client
from pyreqwest.exceptions import PyreqwestError

from lockgate.model.call import EraName
from lockgate.wire.streams import SseDecoder
from support.client import ACCEPT, ENVELOPE, LEGACY, mirror

Json = dict[str, Any]
CAPABILITIES: Json = {"elicitation": {"form": {}}}
YES: Json = {"action": "accept", "content": {"yes": True}}
_CLIENT = {"name": "soak", "version": "1"}


class Talker:
    """What both transports share. ``_send`` yields every message that comes back for one."""

    def __init__(self, era: EraName) -> None:
        self.era = era
        self.ids = itertools.count(1)

    async def open(self) -> None:
        """A session, where the era has them."""
        if self.era == "legacy":
            await self.ask("initialize", {"protocolVersion": LEGACY, "clientInfo": _CLIENT,
                                          "capabilities": CAPABILITIES})  # fmt: skip
            await self.tell("notifications/initialized", {})

    async def ask(self, method: str, params: Json) -> Json:
        """The response. What is asked before is answered. Raises ``ConnectionError`` without."""
        said = await self._once(method, params)
        while said.get("result", {}).get("resultType") == "input_required":
            asked = said["result"]["inputRequests"]
            again = {"inputResponses": dict.fromkeys(asked, YES)}
            again |= {"requestState": said["result"]["requestState"]}
            said = await self._once(method, {**params, **again})
        return said

    async def tell(self, method: str, params: Json) -> None:
        async for _ in self._send(self._message(method, params, None)):
            continue

    async def begin(self, method: str, params: Json) -> None:
        """Ask, and take it back at the first sign of an answer."""
        id = next(self.ids)
        async for said in self._send(self._message(method, params, id)):
            if self.era == "legacy" and "id" not in said:
                await self.tell("notifications/cancelled", {"requestId": id})
            elif self.era == "modern":
                return  # leaving the loop closes the stream

    async def _once(self, method: str, params: Json) -> Json:
        id = next(self.ids)
        async for said in self._send(self._message(method, params, id)):
            if "method" not in said:
                if said.get("id") in (id, None):
                    return said
            elif "id" in said:
                answer = {"jsonrpc": "2.0", "id": said["id"], "result": YES}
                async for _ in self._send(answer):
                    continue
        raise ConnectionError(f"{method}: the stream ended before the response")

    def _message(self, method: str, params: Json, id: int | None) -> Json:
        if self.era == "modern":
            meta = {**ENVELOPE, "io.modelcontextprotocol/clientCapabilities": CAPABILITIES}
            params = {**params, "_meta": {**meta, **params.get("_meta", {})}}
        named = {} if id is None else {"id": id}
        return {"jsonrpc": "2.0", **named, "method": method, "params": params}

    def _send(self, message: Json) -> AsyncIterator[Json]:
        raise NotImplementedError


class HttpTalker(Talker):
    def __init__(self, http: Client, url: str, key: str, era: EraName) -> None:
        super().__init__(era)
        self.http = http
        self.url = url
        self.key = key
        self.session: dict[str, str] = {}

    async def post(self, body: bytes, headers: dict[str, str]) -> int:
        """Whatever comes back: its HTTP status."""
        request = self.http.post(self.url).headers(self._headers(headers)).body_bytes(body)
        response = await request.build().send()
        await response.bytes()
        return response.status

    async def close(self) -> None:
        """DELETE of the session."""
        if self.session:
            sent = {"authorization": f"Bearer {self.key}", **self.session}
            await self.http.delete(self.url).headers(sent).build().send()
            self.session = {}

    async def listen(self, seconds: float) -> int:
        """The session's own stream, for a while: how many messages came."""
        sent = self._headers({"accept": "text/event-stream"})
        sent.pop("content-type")
        came = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for _ in self._read(self.http.get(self.url).headers(sent)):
                    came += 1
        return came

    async def _send(self, message: Json) -> AsyncIterator[Json]:
        method, params = message.get("method", ""), message.get("params", {})
        mirrored = mirror(method, params) if self.era == "modern" else {}
        sent = self._headers(mirrored)
        request = self.http.post(self.url).headers(sent).body_bytes(json.dumps(message).encode())
        async for said in self._read(request):
            yield said

    async def _read(self, request: Any) -> AsyncIterator[Json]:
        async with request.streamed_read_buffer_limit(0).build_streamed() as response:
            session = response.headers.get("mcp-session-id")
            if session:
                self.session = {"mcp-session-id": session, "mcp-protocol-version": LEGACY}
            if not (response.headers.get("content-type") or "").startswith("text/event-stream"):
                body = bytes(await response.bytes())
                if body:
                    yield json.loads(body)
                return
            decoder = SseDecoder(2**24)
            while chunk := await response.body_reader.read_chunk():
                for event in decoder.feed(bytes(chunk)):
                    if event.data:
                        yield json.loads(event.data)

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        return {
            "authorization": f"Bearer {self.key}", "content-type": "application/json",
            "accept": ACCEPT, **self.session, **more,
        }  # fmt: skip


class StdioTalker(Talker):
    """One at a time over a shim's pipes."""

    def __init__(
        self, stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader, era: EraName
    ) -> None:
        super().__init__(era)
        self._stdin = stdin
        self._stdout = stdout

    async def _send(self, message: Json) -> AsyncIterator[Json]:
        self._stdin.write(json.dumps(message).encode() + b"\n")
        await self._stdin.drain()
        while "id" in message and "method" in message:
            line = await self._stdout.readline()
            if not line:
                return
            said = json.loads(line)
            if said.get("id") == message["id"] or "method" in said:
                yield said
                if "method" not in said:
                    return


@asynccontextmanager
async def http_talker(http: Client, url: str, key: str, era: EraName) -> AsyncIterator[HttpTalker]:
    """Open, and ended in order."""
    talker = HttpTalker(http, url, key, era)
    await talker.open()
    try:
        yield talker
    finally:
        with suppress(PyreqwestError):
            await talker.close()
