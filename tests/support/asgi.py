"""One HTTP request as a server hands it to an ASGI application, without a socket."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from lockgate.app.exchange import Exchange

DEADLINE = 10.0
Message = dict[str, Any]


class Visit:
    """A client at the application's door. What it sends is put by ``send_body`` and ``leave``;
    what it hears is in ``status``, ``headers`` and ``body``, and ``until`` waits for it."""

    def __init__(
        self,
        method: str = "POST",
        path: str = "/mcp",
        headers: Mapping[str, str] | tuple[tuple[str, str], ...] = (),
        body: bytes | None = None,
        query: bytes = b"",
    ) -> None:
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        self.scope: Message = {
            "type": "http", "method": method, "path": path, "query_string": query,
            "headers": [(name.encode(), value.encode()) for name, value in pairs],
            "client": ("192.0.2.1", 50_000),
        }  # fmt: skip
        self.answers: list[Message] = []
        self.reads = 0
        """How often the application asked for more of the request."""
        self._coming: asyncio.Queue[Message] = asyncio.Queue()
        self._heard = asyncio.Condition()
        if body is not None:
            self.send_body(body)

    def send_body(self, chunk: bytes, *, more: bool = False) -> None:
        self._coming.put_nowait({"type": "http.request", "body": chunk, "more_body": more})

    def leave(self) -> None:
        self._coming.put_nowait({"type": "http.disconnect"})

    @property
    def exchange(self) -> Exchange:
        return Exchange(self.scope, self.receive, self.send)

    async def receive(self) -> Message:
        self.reads += 1
        event = await self._coming.get()
        if event["type"] == "http.disconnect":
            self.leave()  # it stays away
        return event

    async def send(self, message: Any) -> None:
        async with self._heard:
            self.answers.append(message)
            self._heard.notify_all()

    async def until(self, true: Callable[["Visit"], bool]) -> None:
        """Raises ``TimeoutError``."""
        async with asyncio.timeout(DEADLINE), self._heard:
            await self._heard.wait_for(lambda: true(self))

    @property
    def status(self) -> int:
        return int(self.answers[0]["status"]) if self.answers else 0

    @property
    def headers(self) -> dict[str, str]:
        return {k.decode(): v.decode() for k, v in self.answers[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(a["body"] for a in self.answers[1:])

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def over(self) -> bool:
        """The answer is complete."""
        return len(self.answers) > 1 and not self.answers[-1].get("more_body", False)
