"""What the upstreams of a soak say, whatever carries it. Each call's token is in a file before it
is answered, so that what reached an upstream is known even where it was killed."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Say = Callable[[Json], Awaitable[None]]
Ask = Callable[[str, Json], Awaitable[Json]]

VERSIONS = {"legacy": "2025-11-25", "modern": "2026-07-28"}
INFO = {"name": "soak", "version": "1"}
URI = "soak://watched"
_SCHEMA = {
    "type": "object",
    "properties": {"token": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["token"],
}
TOOLS = ("count", "progress", "ask", "slow", "big", "touch", "fail")
_FORM = {"type": "object", "properties": {"yes": {"type": "boolean"}}}


class Counting:
    """One process. ``folder``: where its book of tokens is."""

    def __init__(self, era: str, folder: Path) -> None:
        self.era = era
        self._book = os.open(
            folder / f"calls.{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )
        self.outside: set[Say] = set()
        """Where to tell what belongs to no request."""

    async def answer(self, message: Json, say: Say, ask: Ask) -> None:
        method, params = message["method"], message.get("params", {})
        head = {"jsonrpc": "2.0", "id": message["id"]}
        if method == "subscriptions/listen" and self.era == "modern":
            await self._listen(message["id"], params, say)
        if method == "tools/call":
            said = await self._call(params, say, ask)
        elif method in ("initialize", "server/discover"):
            said = self._opened(method)
        else:
            said = self._listed(method)
        await say({**head, **said})

    async def _listen(self, id: object, params: Json, say: Say) -> None:
        """Until it is cancelled: what is told outside of requests, with this listen's id."""

        async def tagged(said: Json) -> None:
            meta = {"io.modelcontextprotocol/subscriptionId": id}
            await say({**said, "params": {**said["params"], "_meta": meta}})

        acknowledged = "notifications/subscriptions/acknowledged"
        granted = {"notifications": params["notifications"]}
        await tagged({"jsonrpc": "2.0", "method": acknowledged, "params": granted})
        self.outside.add(tagged)
        try:
            await asyncio.Event().wait()
        finally:
            self.outside.discard(tagged)

    def _opened(self, method: str) -> Json:
        every = {"tools": {}, "resources": {"subscribe": True}, "logging": {}}
        if method == "initialize" and self.era == "legacy":
            said = {"protocolVersion": VERSIONS["legacy"], "serverInfo": INFO}
        elif method == "server/discover" and self.era == "modern":
            meta = {"io.modelcontextprotocol/serverInfo": INFO}
            said = {"supportedVersions": [VERSIONS["modern"]], "_meta": meta} | self._head(True)
        else:
            return {"error": {"code": -32601, "message": "Method not found"}}
        return {"result": {"capabilities": every, **said}}

    def _listed(self, method: str) -> Json:
        known: dict[str, Json] = {
            "tools/list": {"tools": [{"name": one, "inputSchema": _SCHEMA} for one in TOOLS]},
            "resources/list": {"resources": [{"uri": URI, "name": "watched"}]},
            "resources/templates/list": {"resourceTemplates": []},
            "prompts/list": {"prompts": []},
            "resources/read": {"contents": [{"uri": URI, "text": "still here"}]},
            "resources/subscribe": {}, "resources/unsubscribe": {}, "logging/setLevel": {},
            "ping": {},
        }  # fmt: skip
        if method not in known:
            return {"error": {"code": -32601, "message": "Method not found"}}
        return {"result": known[method] | self._head(True)}

    def _head(self, cacheable: bool = False) -> Json:
        if self.era == "legacy":
            return {}
        cached = {"ttlMs": 0, "cacheScope": "private"} if cacheable else {}
        return {"resultType": "complete", **cached}

    async def _call(self, params: Json, say: Say, ask: Ask) -> Json:
        arguments = params["arguments"]
        token = arguments["token"]
        os.write(self._book, token.encode() + b"\n")
        act = getattr(self, f"_{params['name']}")
        found = await act(params, arguments.get("n", 0), say, ask)
        if found is not None:
            return {"result": found}
        content = [{"type": "text", "text": token}]
        return {"result": {"content": content, **self._head()}}

    async def _count(self, params: Json, n: int, say: Say, ask: Ask) -> None:
        return None

    async def _progress(self, params: Json, n: int, say: Say, ask: Ask) -> None:
        token = params.get("_meta", {}).get("progressToken")
        for step in range(1, 4):
            told = {"progressToken": token, "progress": step, "message": f"step {step}"}
            if token is not None:
                await say({"jsonrpc": "2.0", "method": "notifications/progress", "params": told})

    async def _slow(self, params: Json, n: int, say: Say, ask: Ask) -> None:
        await self._progress(params, 0, say, ask)
        await asyncio.sleep(n / 1000)

    async def _ask(self, params: Json, n: int, say: Say, ask: Ask) -> Json | None:
        asked = {"mode": "form", "message": "Go on?", "requestedSchema": _FORM}
        if self.era == "legacy":
            await ask("elicitation/create", asked)
            return None
        if "inputResponses" in params:
            return None
        requests = {"go": {"method": "elicitation/create", "params": asked}}
        return {"resultType": "input_required", "inputRequests": requests, "requestState": "s"}

    async def _big(self, params: Json, n: int, say: Say, ask: Ask) -> Json:
        rest = [{"type": "text", "text": "x" * n}]
        first = [{"type": "text", "text": params["arguments"]["token"]}]
        return {"content": first + rest, **self._head()}

    async def _touch(self, params: Json, n: int, say: Say, ask: Ask) -> None:
        told = {"jsonrpc": "2.0", "method": "notifications/resources/updated",
                "params": {"uri": URI}}  # fmt: skip
        for each in list(self.outside):
            await each(told)

    async def _fail(self, params: Json, n: int, say: Say, ask: Ask) -> Json:
        said = [{"type": "text", "text": params["arguments"]["token"]}]
        return {"content": said, "isError": True, **self._head()}


class Asked:
    """The server's own requests that wait for an answer."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._last = 0

    async def put(self, method: str, params: Json, say: Say) -> Json:
        self._last += 1
        id = self._last
        waiting = self._waiting[id] = asyncio.get_running_loop().create_future()
        try:
            await say({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
            answer: Json = await waiting
            return answer
        finally:
            self._waiting.pop(id, None)

    def take(self, message: Json) -> None:
        waiting = self._waiting.get(message.get("id", 0))
        if waiting is not None and not waiting.done():
            waiting.set_result(message)
