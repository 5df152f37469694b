"""Clients of either era, over HTTP and through ``lockgate stdio``, that keep all they get."""

import asyncio
import io
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

from pyreqwest.client import Client

from lockgate.app.bearer import FixedBearer
from lockgate.app.ingress_stdio import carry
from lockgate.model.call import EraName
from lockgate.wire.streams import SseDecoder
from support.canary_messages import VERSIONS, Json
from support.canary_words import Mint
from support.client import ACCEPT, mirror

_META = "io.modelcontextprotocol/"
_SECONDS = 15

Came = Callable[[bytes], None]


class Wire(Protocol):
    """Sends one message; whatever comes back goes to ``inbox``."""

    inbox: "asyncio.Queue[Json]"

    async def send(self, message: Json, headers: Mapping[str, str]) -> None: ...


class HttpWire:
    """Each message is a POST of its own, and its answer is read while others are sent."""

    def __init__(self, http: Client, url: str, key: str, mint: Mint, came: Came) -> None:
        self.inbox: asyncio.Queue[Json] = asyncio.Queue()
        self._http, self._url, self._key = http, url, key
        self._mint, self._came = mint, came
        self._session: dict[str, str] = {}
        self._reading: set[asyncio.Task[None]] = set()

    async def send(self, message: Json, headers: Mapping[str, str]) -> None:
        word = self._mint.word
        sent = {
            "authorization": f"Bearer {self._key}", "content-type": "application/json",
            "accept": ACCEPT, "user-agent": word("client", "User-Agent"),
            "x-any": word("client", "HTTP header"), "cookie": f"a={word('client', 'cookie')}",
            "baggage": f"a={word('client', 'baggage')}", **self._session, **headers,
        }  # fmt: skip
        began: asyncio.Event = asyncio.Event()
        task = asyncio.create_task(self._post(json.dumps(message).encode(), sent, began))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)
        if message.get("method") == "initialize":
            await began.wait()

    async def listen(self) -> None:
        """The legacy stream for what belongs to no request. Returns when it is open."""
        began: asyncio.Event = asyncio.Event()
        sent = {"authorization": f"Bearer {self._key}", "accept": ACCEPT, **self._session}
        request = self._http.get(self._url).headers(sent)
        task = asyncio.create_task(self._read(request, began))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)
        await began.wait()

    async def close(self) -> None:
        # Again and again: pyreqwest loses a cancellation that meets a chunk.
        while self._reading:
            for task in list(self._reading):
                task.cancel()
            await asyncio.wait(list(self._reading), timeout=0.1)

    async def _post(self, body: bytes, headers: Mapping[str, str], began: asyncio.Event) -> None:
        await self._read(self._http.post(self._url).headers(headers).body_bytes(body), began)

    async def _read(self, request: Any, began: asyncio.Event) -> None:
        async with request.streamed_read_buffer_limit(0).build_streamed() as response:
            head = [f"{name}: {value}" for name, value in response.headers.items()]
            self._came("\n".join(head).encode())
            session = response.headers.get("mcp-session-id")
            if session:
                self._session = {"mcp-session-id": session,
                                 "mcp-protocol-version": VERSIONS["legacy"]}  # fmt: skip
            began.set()
            kind = response.headers.get("content-type") or ""
            if not kind.startswith("text/event-stream"):
                self._take(bytes(await response.bytes()))
                return
            decoder = SseDecoder(2**24)
            while chunk := await response.body_reader.read_chunk():
                self._came(bytes(chunk))
                for event in decoder.feed(bytes(chunk)):
                    self._take(event.data)

    def _take(self, data: bytes) -> None:
        self._came(data)
        if data.strip():
            self.inbox.put_nowait(json.loads(data))


class _Sink(io.RawIOBase):
    """Standard output of the shim."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def write(self, line: Any) -> int:
        self._take(bytes(line))
        return len(line)


class StdioWire:
    """``lockgate stdio``, in this process."""

    def __init__(self, came: Came) -> None:
        self.inbox: asyncio.Queue[Json] = asyncio.Queue()
        self._came = came
        read, write = os.pipe()
        self._source = os.fdopen(read, "rb", buffering=0)
        self._stdin = os.fdopen(write, "wb", buffering=0)

    async def send(self, message: Json, headers: Mapping[str, str]) -> None:
        self._stdin.write(json.dumps(message).encode() + b"\n")

    async def run(self, url: str, key: str) -> None:
        await carry(url, FixedBearer(key), self._source, _Sink(self._take))  # type: ignore[arg-type]

    def close(self) -> None:
        self._stdin.close()

    def _take(self, line: bytes) -> None:
        self._came(line)
        self.inbox.put_nowait(json.loads(line))


@asynccontextmanager
async def stdio_wire(url: str, key: str, came: Came) -> AsyncIterator[StdioWire]:
    wire = StdioWire(came)
    running = asyncio.create_task(wire.run(url, key))
    try:
        yield wire
    finally:
        wire.close()
        async with asyncio.timeout(_SECONDS):
            await running


class Voice:
    """One client. ``answers``: what it says to each method it is asked."""

    def __init__(self, era: EraName, wire: Wire, mint: Mint, capabilities: Json) -> None:
        self.era = era
        self.wire = wire
        self.answers: dict[str, Json] = {}
        self.told: list[Json] = []
        self.last = ""
        """Id of the request said last."""
        self._mint = mint
        self._capabilities = capabilities
        self._info = {"name": mint.word("client", "clientInfo/name"), "version": "1"}

    async def open(self) -> None:
        """``initialize``, where the era has it."""
        if self.era == "legacy":
            await self.request("initialize", {
                "protocolVersion": VERSIONS["legacy"], "capabilities": self._capabilities,
                "clientInfo": self._info,
            })  # fmt: skip
            await self.notify("notifications/initialized", {})

    async def request(self, method: str, params: Json) -> Json:
        """The response to it. Questions before it are answered, on the way or by coming again."""
        async with asyncio.timeout(_SECONDS):
            said = await self._ask(method, params)
            while said.get("result", {}).get("resultType") == "input_required":
                asked = said["result"].get("inputRequests", {})
                again = {"inputResponses": {k: self.answers[a["method"]] for k, a in asked.items()}}
                if "requestState" in said["result"]:
                    again["requestState"] = said["result"]["requestState"]
                said = await self._ask(method, {**params, **again})
            return said

    async def notify(self, method: str, params: Json) -> None:
        said = {"jsonrpc": "2.0", "method": method, "params": params}
        await self.wire.send(said, self._mirrored(method, params))

    async def heard(self, method: str) -> Json:
        """The next notification of this method."""
        async with asyncio.timeout(_SECONDS):
            while True:
                for number, said in enumerate(self.told):
                    if said["method"] == method:
                        return self.told.pop(number)
                await self._next("")

    async def hears(self, method: str, seconds: float) -> bool:
        """Whether a notification of this method comes in time."""
        try:
            async with asyncio.timeout(seconds):
                await self.heard(method)
        except TimeoutError:
            return False
        return True

    async def say(self, method: str, params: Json) -> None:
        """Ask, without waiting for the response."""
        self.last = self._mint.word("client", f"{method}: id of the request")
        said = {"jsonrpc": "2.0", "id": self.last, "method": method,
                "params": self._enveloped(params)}  # fmt: skip
        await self.wire.send(said, self._mirrored(method, params))

    async def _ask(self, method: str, params: Json) -> Json:
        await self.say(method, params)
        id = self.last
        while True:
            found = await self._next(id)
            if found is not None:
                return found

    async def _next(self, id: str) -> Json | None:
        """Take one message; it, where it answers ``id``."""
        said = await self.wire.inbox.get()
        if "method" not in said:
            return said if said.get("id") in (id, None) else None
        if "id" not in said:
            self.told.append(said)
            return None
        answer = {"jsonrpc": "2.0", "id": said["id"], "result": self.answers[said["method"]]}
        await self.wire.send(answer, {})
        return None

    def _mirrored(self, method: str, params: Json) -> dict[str, str]:
        return mirror(method, params) if self.era == "modern" else {}

    def _enveloped(self, params: Json) -> Json:
        if self.era == "legacy":
            return params
        ours = {f"{_META}protocolVersion": VERSIONS["modern"], f"{_META}clientInfo": self._info,
                f"{_META}clientCapabilities": self._capabilities,
                f"{_META}logLevel": "debug"}  # fmt: skip
        return {**params, "_meta": {**params.get("_meta", {}), **ours}}
