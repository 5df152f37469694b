"""An upstream that says planted messages, over HTTP or as a program, in either era.

The program is a relay: what it is told and says passes through a socket to the test, so that one
script serves both transports and sees every byte when it comes.
"""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

from lockgate.model.call import EraName
from lockgate.wire.methods import METHODS
from support.canary_messages import VERSIONS, Json
from support.canary_words import Mint

ITEMS = {row.name for row in METHODS.values() if row.kind == "item"}
META = "io.modelcontextprotocol/"
RELAY = """
import os, socket, sys, threading
sys.stderr.write(sys.argv[2] + "\\n"); sys.stderr.flush()
joined = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def back():
    while data := joined.recv(65536):
        os.write(1, data)
    os._exit(0)
threading.Thread(target=back, daemon=True).start()
while data := os.read(0, 65536):
    joined.sendall(data)
joined.shutdown(socket.SHUT_WR)
"""

Say = Callable[[Json], Awaitable[None]]


class Plan:
    """What is said to the next requests, by method."""

    def __init__(self) -> None:
        self.results: dict[str, Json] = {}
        self.error: Json | None = None
        """Instead of any result but those of lists."""
        self.notices: list[tuple[str, Json]] = []
        self.asks: list[tuple[str, Json]] = []
        """As requests of its own; only legacy servers may."""
        self.input: Json | None = None
        """A result that asks for input; the next round gets the planned result."""
        self.silent: asyncio.Event | None = None
        """Set when a call has come that is not going to be answered."""
        self.opened: Json | None = None
        """What the opening is answered with, instead of the planned result."""
        self.last_page: Json | None = None
        """The result where a cursor came back."""


class Peer:
    """``heard``: words in everything that came. Its own words are of side ``upstream``."""

    def __init__(self, era: EraName, mint: Mint, came: Callable[[bytes], None]) -> None:
        self.era = era
        self.plan = Plan()
        self.answers: list[Json] = []
        self.requests: list[str] = []
        """Methods, in the order they came."""
        self._mint = mint
        self._came = came
        self._asked: dict[str, asyncio.Future[Json]] = {}
        self.outside: set[Say] = set()
        """Where to say what belongs to no request."""

    def word(self, place: str) -> str:
        return self._mint.word("upstream", place)

    def came(self, raw: bytes) -> None:
        self._came(raw)

    async def take(self, message: Json, say: Say) -> bool:
        """Answer one message; False where there is nothing to answer."""
        if "method" not in message:
            waiting = self._asked.pop(str(message.get("id")), None)
            if waiting is not None:
                waiting.set_result(message)
            return False
        self.requests.append(message["method"])
        if "id" not in message:
            return False
        await self._answer(message, say)
        return True

    async def tell(self, method: str, params: Json) -> None:
        """Outside of any request."""
        for say in list(self.outside):
            with suppress(ConnectionError):  # its session ended, and with it the connection
                await say({"jsonrpc": "2.0", "method": method, "params": params})

    async def _answer(self, message: Json, say: Say) -> None:
        method, head = message["method"], {"jsonrpc": "2.0", "id": message["id"]}
        plan, params = self.plan, message.get("params", {})
        if method in ("server/discover", "initialize"):
            await say({**head, **self._opened(method)})
            return
        if method == "subscriptions/listen":
            await self._listen(message["id"], params, say)
        said = await self._acted(method, params, say) if method in ITEMS else None
        again = plan.last_page if "cursor" in params else None
        found = {"result": again or plan.results.get(method, {})}
        await say({**head, **(said or found)})

    async def _acted(self, method: str, params: Json, say: Say) -> Json | None:
        """What the plan has beside results: the answer, where it is another."""
        plan = self.plan
        for notice, said in plan.notices:
            token = params.get("_meta", {}).get("progressToken")
            told = {**said, "progressToken": token} if "progressToken" in said else said
            await say({"jsonrpc": "2.0", "method": notice, "params": told})
        for ask, said in plan.asks:
            self.answers.append(await self._ask(ask, said, say))
        if plan.silent is not None:
            plan.silent.set()
            await asyncio.Event().wait()
        if plan.error is not None:
            return {"error": plan.error}
        wanting = plan.input is not None and "inputResponses" not in params
        return {"result": plan.input} if wanting else None

    async def _listen(self, id: object, params: Json, say: Say) -> None:
        """Until it is cancelled."""

        async def tagged(said: Json) -> None:
            meta = {**said["params"].get("_meta", {}), f"{META}subscriptionId": id}
            await say({**said, "params": {**said["params"], "_meta": meta}})

        said = {"notifications": params["notifications"], self.word("key"): self.word("value")}
        acknowledged = "notifications/subscriptions/acknowledged"
        await tagged({"jsonrpc": "2.0", "method": acknowledged, "params": said})
        self.outside.add(tagged)
        try:
            await asyncio.Event().wait()
        finally:
            self.outside.discard(tagged)

    async def _ask(self, method: str, params: Json, say: Say) -> Json:
        id = self.word(f"{method}: id of the question")
        waiting = self._asked[id] = asyncio.get_running_loop().create_future()
        await say({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        async with asyncio.timeout(10):
            answer: Json = await waiting
        return answer

    def _opened(self, method: str) -> Json:
        if self.plan.opened is not None:
            return self.plan.opened
        modern = self.era == "modern"
        if modern != (method == "server/discover"):
            return {"error": {"code": -32601, "message": self.word("opening: refusal")}}
        return {"result": self.plan.results[method]}


def opening(era: EraName, planted: Json) -> Json:
    """A planted answer to the era's opening request, with what must be there to agree."""
    every = {"tools": {"listChanged": True}, "prompts": {"listChanged": True}, "logging": {},
             "completions": {}, "resources": {"subscribe": True, "listChanged": True}}  # fmt: skip
    capabilities = {**planted["capabilities"], **every}
    if era == "legacy":
        return {**planted, "capabilities": capabilities, "protocolVersion": VERSIONS[era]}
    said = {"supportedVersions": [VERSIONS[era], *planted["supportedVersions"]],
            "resultType": "complete", "cacheScope": "public", "ttlMs": 1}  # fmt: skip
    return {**planted, **said, "capabilities": capabilities}


class OverHttp:
    """Raw ASGI. Every header and field of server-sent events that may hold a text does."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body += part.get("body", b"")
            more = part.get("more_body", False)
        self.peer.came(b"\n".join(b": ".join(pair) for pair in scope["headers"]))
        self.peer.came(scope["path"].encode() + body)
        if scope["method"] == "POST":
            await self._post(json.loads(body), receive, send)
        elif scope["method"] == "GET" and self.peer.era == "legacy":
            await self._stream(receive, send)
        else:
            await self._plain(send, 200 if scope["method"] == "DELETE" else 405)

    async def _post(self, message: Json, receive: Any, send: Any) -> None:
        if "id" not in message or "method" not in message:
            await self.peer.take(message, _nowhere)
            await self._plain(send, 202)
            return
        await self._start(send, 200, opens=message["method"] == "initialize")
        answering = asyncio.ensure_future(
            self.peer.take(message, lambda said: self._event(send, said))
        )
        leaving = asyncio.ensure_future(_left(receive))
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        for task in (answering, leaving):
            task.cancel()
        await asyncio.wait({answering, leaving})
        await send({"type": "http.response.body", "body": b""})

    async def _stream(self, receive: Any, send: Any) -> None:
        await self._start(send, 200)

        async def say(said: Json) -> None:
            await self._event(send, said)

        self.peer.outside.add(say)
        with suppress(asyncio.CancelledError):
            await _left(receive)
        self.peer.outside.discard(say)

    async def _start(self, send: Any, status: int, *, opens: bool = False) -> None:
        word = self.peer.word
        headers = [("content-type", "text/event-stream"), ("x-any", word("HTTP header")),
                   ("retry-after", word("Retry-After")), ("set-cookie", f"a={word('cookie')}"),
                   ("server", word("Server"))]  # fmt: skip
        if opens:
            headers.append(("mcp-session-id", word("Mcp-Session-Id")))
        raw = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await self._write(send, f": {word('SSE comment')}\n\n")

    async def _event(self, send: Any, said: Json) -> None:
        word = self.peer.word
        fields = f"id: {word('SSE event id')}\n{word('SSE field')}: {word('SSE field')}\n"
        await self._write(send, f"{fields}data: {json.dumps(said)}\n\n")

    async def _write(self, send: Any, text: str) -> None:
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

    async def _plain(self, send: Any, status: int) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        text = self.peer.word(f"HTTP {status} body") if status != 202 else ""
        await send({"type": "http.response.body", "body": text.encode()})


class AsProgram:
    """Serves the relays that the gateway starts."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._serving: dict[object, asyncio.Task[bool]] = {}

    async def joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(said: Json) -> None:
            writer.write(json.dumps(said).encode() + b"\n")
            await writer.drain()

        self.peer.outside.add(say)
        number = itertools.count()
        while line := await reader.readline():
            self.peer.came(line)
            message = json.loads(line)
            if message.get("method") == "notifications/cancelled":
                running = self._serving.get((writer, message["params"]["requestId"]))
                if running is not None:
                    running.cancel()
            key = (writer, message.get("id", f"n{next(number)}"))
            task = asyncio.create_task(self.peer.take(message, say))
            self._serving[key] = task
            task.add_done_callback(partial(_forget, self._serving, key))
        self.peer.outside.discard(say)
        writer.close()


def _forget(serving: dict[object, "asyncio.Task[bool]"], key: object, _: object) -> None:
    serving.pop(key, None)


async def _left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def _nowhere(_: Json) -> None:
    """What is answered with a status only."""
