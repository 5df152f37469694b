"""The small endpoint with streams beside its answers: kept open, cut, resumed and listened to."""

import asyncio
import json

from support.upstream_endpoint import FakeEndpoint, Json, Out, Received

CHANGES = {
    "tools": {"listChanged": True},
    "resources": {"listChanged": False, "subscribe": True},
    "logging": {},
}
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


class StreamingEndpoint(FakeEndpoint):
    """``feed`` says something on each stream that is open. In both eras."""

    def __init__(self, era: str = "legacy", capabilities: Json | None = None) -> None:
        super().__init__(era, capabilities or CHANGES)
        self.refuses: frozenset[str] = frozenset()
        """Resources about which nothing is told."""
        self.subscribed: list[tuple[str, str]] = []
        """Requests to subscribe and unsubscribe."""
        self.listens: list[Json] = []
        """What each listen asked for."""
        self.opened_stream = asyncio.Event()
        """Set when one is open; cleared by tests."""
        self.closed_stream = asyncio.Event()
        self._open: list[tuple[asyncio.Queue[bytes | None], object]] = []
        """With the id of its listen, where it is one."""
        self._polled: dict[str, Json] = {}

    @property
    def streams(self) -> int:
        return len(self._open)

    def feed(self, method: str, event_id: str = "", **params: object) -> None:
        text = {"jsonrpc": "2.0", "method": method, "params": params}
        self.say(text, event_id)

    def tell(self, method: str, **params: object) -> None:
        """As ``feed``, on each listen under its own id."""
        for stream, id in self._open:
            said = params if id is None else {**params, "_meta": {SUBSCRIPTION: id}}
            message = {"jsonrpc": "2.0", "method": method, "params": said}
            stream.put_nowait(f"data: {json.dumps(message)}\n\n".encode())

    def say(self, message: Json, event_id: str = "") -> None:
        named = f"id: {event_id}\n" if event_id else ""
        self.raw(f"{named}data: {json.dumps(message)}\n\n".encode())

    def raw(self, data: bytes | None) -> None:
        """None cuts them."""
        for stream, _ in self._open:
            stream.put_nowait(data)

    async def _answer(self, message: Json, out: Out) -> None:
        method = message["method"]
        if method in ("resources/subscribe", "resources/unsubscribe"):
            uri = message["params"]["uri"]
            self.subscribed.append((method.rpartition("/")[2], uri))
            if uri in self.refuses:
                await out.error(200, message["id"], -32602, "no such resource")
            else:
                await out.result(message, {})
        elif method == "subscriptions/listen":
            await self._listen(message, out)
        else:
            await super()._answer(message, out)

    async def _stream(self, got: Received, out: Out) -> None:
        asked = self._polled.pop(got.header("last-event-id") or "", None)
        if asked is not None:
            await out.begin("text/event-stream")
            await out.event({"jsonrpc": "2.0", "id": asked["id"], "result": {"content": []}})
            await out.end()
        elif self.era == "legacy" and got.header("mcp-session-id") not in self.sessions:
            await out.error(404, None, -32001, "Session not found")
        else:
            await out.begin("text/event-stream")
            await self._keep_open(out)

    async def _listen(self, message: Json, out: Out) -> None:
        wanted = dict(message["params"]["notifications"])
        self.listens.append(wanted)
        uris = [u for u in wanted.get("resourceSubscriptions", ()) if u not in self.refuses]
        if "resourceSubscriptions" in wanted:
            wanted["resourceSubscriptions"] = uris
        params = {"notifications": wanted, "_meta": {SUBSCRIPTION: message["id"]}}
        method = "notifications/subscriptions/acknowledged"
        await out.begin("text/event-stream")
        await out.event({"jsonrpc": "2.0", "method": method, "params": params})
        await self._keep_open(out, message["id"])

    async def _keep_open(self, out: Out, listen: object = None) -> None:
        stream: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._open.append((stream, listen))
        self.opened_stream.set()
        gone = asyncio.ensure_future(out.gone())
        try:
            while True:
                fed = asyncio.ensure_future(stream.get())
                await asyncio.wait({gone, fed}, return_when=asyncio.FIRST_COMPLETED)
                data = fed.result() if fed.done() else None
                if data is None:
                    fed.cancel()
                    break
                await out.more(data)
            if not gone.done():
                await out.end()
        finally:
            gone.cancel()
            self._open.remove((stream, listen))
            self.closed_stream.set()

    async def do_poll(self, message: Json, out: Out) -> None:
        """A stream that ends before its response, to be resumed after 150 ms; twice at once."""
        place = f"poll-{message['id']}"
        self._polled[place] = message
        await out.begin("text/event-stream")
        await out.more(f"id: {place}\nretry: 150\ndata:\n\n".encode())
        await out.end()

    async def do_poll_for_ever(self, message: Json, out: Out) -> None:
        await out.begin("text/event-stream")
        await out.more(b"id: nobody-knows\nretry: 100\ndata:\n\n")
        await out.end()
