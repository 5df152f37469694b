"""An ingress before a stage, without a socket: what clients send over HTTP, and what they hear."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson

from lockgate.app.brake import Brake
from lockgate.app.edge import Edge
from lockgate.app.ingress_http import Ingress
from lockgate.app.protected_resource import ProtectedResource
from lockgate.identity.dpop import Nonces
from lockgate.identity.evidence import Evidence
from lockgate.identity.refusal import AuthRefusal
from lockgate.model import Principal
from lockgate.store.quota import QuotaLimits
from support.asgi import Visit
from support.client import ACCEPT, LEGACY, enveloped, mirror
from support.processes import until
from support.scenario import Stage
from support.staged import BOB, Waiting, regate, rows, stage_of

HOST = "gate.example:8765"
EDGE = Edge(frozenset({HOST}), frozenset({"https://console.example"}), 10_000, 5.0)
PLENTY = QuotaLimits(600, 100, 1)
HEADERS = {"host": HOST, "authorization": "Bearer alice", "content-type": "application/json",
           "accept": ACCEPT}  # fmt: skip
PATIENT = {"name": "get_patient", "arguments": {}}
PROGRESS = {**PATIENT, "_meta": {"progressToken": 1}}
STREAM = "text/event-stream"


class House:
    """An ingress before a stage whose upstream answers when told to."""

    def __init__(self, edge: Edge = EDGE, messages: QuotaLimits = PLENTY) -> None:
        self.stage: Stage = stage_of()
        self.upstream = Waiting(self.stage.simulated)
        regate(self.stage, sender=self.upstream)
        self.people = {"Bearer alice": self.stage.principal, "Bearer bob": BOB}
        """Whose keys are good now."""
        self.looks = asyncio.Event()
        self.refused: list[tuple[str, str]] = []
        self.health: dict[str, Any] = {"status": "ready"}
        self.ingress = Ingress(
            self.stage.gateway, edge, self,
            lambda reason, peer: self.refused.append((reason, peer)), lambda: self.health,
            Brake(messages, lambda: 0), ProtectedResource(dict, Nonces(b"n" * 32), lambda: 0),
        )  # fmt: skip

    async def authenticate(self, evidence: Evidence, now_ms: int) -> Principal | AuthRefusal:
        return await self.recheck(evidence, now_ms)

    async def recheck(
        self, evidence: Evidence, now_ms: int, grace_ms: int = 0
    ) -> Principal | AuthRefusal:
        self.looks.set()
        if evidence.authorization == ("Bearer broken",):
            raise ValueError("a defect")
        if not evidence.authorization:
            return AuthRefusal("auth.missing")
        return self.people.get(evidence.authorization[0]) or AuthRefusal("auth.invalid")

    async def take(self, visit: Visit) -> Visit:
        await asyncio.wait_for(self.ingress(visit.scope, visit.receive, visit.send), 10)
        return visit

    def begin(self, visit: Visit) -> "asyncio.Task[Visit]":
        return asyncio.ensure_future(self.take(visit))

    async def called(self, visit: Visit) -> "asyncio.Task[Visit]":
        """The visit, once its call is under way at the upstream."""
        task = self.begin(visit)
        await asyncio.wait_for(self.upstream.reached.wait(), 5)
        return task

    async def looked_at(self) -> None:
        """Whoever calls has been looked at again."""
        self.looks.clear()
        await asyncio.wait_for(self.looks.wait(), 5)

    def progress(self) -> None:
        assert self.upstream.hears is not None
        self.upstream.hears.note("notifications/progress", b'{"progress":1}')

    async def open(self, version: str = LEGACY, who: str = "alice") -> str:
        params = {"protocolVersion": version, "capabilities": {},
                  "clientInfo": {"name": "t", "version": "1"}}  # fmt: skip
        headers = {**HEADERS, "authorization": f"Bearer {who}"}
        opened = await self.take(Visit(headers=headers, path="/mcp/clinic",
                                       body=message("initialize", params)))  # fmt: skip
        return opened.headers["mcp-session-id"]

    async def streamed(self, visit: Visit) -> "asyncio.Task[Visit]":
        """The visit, once it is answered with a stream."""
        task = self.begin(visit)
        await visit.until(lambda v: v.answers != [])
        assert visit.headers["content-type"] == STREAM
        return task

    async def outcome(self) -> str:
        """Reason of the last call's outcome, once nothing runs any more."""
        await asyncio.to_thread(until, lambda: self.stage.gateway.inflight.running == 0)
        return [r.reason for r in await rows(self.stage) if r.kind == "call.outcome"][-1]


def message(method: str, params: Mapping[str, Any], id: int = 1) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def modern(
    method: str = "tools/list",
    params: dict[str, Any] | None = None,
    but: Mapping[str, str | None] = {},
    **changes: str | None,
) -> Visit:
    """A good request, but for these headers (None: left out)."""
    named = {name.replace("_", "-"): value for name, value in {**but, **changes}.items()}
    headers = {**HEADERS, **mirror(method, params or {}), **named}
    sent = tuple((name, value) for name, value in headers.items() if value is not None)
    return Visit(path="/mcp/clinic", headers=sent, body=message(method, enveloped(params)))


def legacy(session: str, method: str, params: dict[str, Any]) -> Visit:
    headers = {**HEADERS, "mcp-session-id": session}
    return Visit(path="/mcp/clinic", headers=headers, body=message(method, params))


def get(session: str | None, who: str = "alice", **more: str) -> Visit:
    """A client opens a stream of its session. ``more``: headers."""
    named = {name.replace("_", "-"): value for name, value in more.items()}
    said = {"mcp-session-id": session} if session is not None else {}
    headers = {"host": HOST, "authorization": f"Bearer {who}", "accept": STREAM, **said, **named}
    return Visit("GET", "/mcp/clinic", headers, b"")


def ids(visit: Visit) -> list[str]:
    """Every event's id, also that of events without a message."""
    lines = visit.body.split(b"\n")
    return [line[4:].decode() for line in lines if line.startswith(b"id: ")]


def events(visit: Visit) -> list[Any]:
    """The messages of a stream; comments are none."""
    found = [e.partition(b"data: ")[2] for e in visit.body.split(b"\n\n")]
    return [orjson.loads(data) for data in found if data.strip()]


def reason(visit: Visit) -> str:
    return str(visit.json["error"]["data"]["reason"])
