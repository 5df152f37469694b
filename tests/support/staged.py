"""People who speak to the gateway of a ``Stage``, in either era, without HTTP."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from lockgate.app.answers import Answer
from lockgate.app.incoming import Incoming
from lockgate.model import AuditEvent, Permit, Principal, Reply
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.store.memory_events import MemoryEvents
from lockgate.upstream.link import Hears
from lockgate.wire.headers import Headers
from lockgate.wire.meta import OWNED
from support.client import LEGACY, enveloped, mirror
from support.scenario import SimulatedUpstream, Stage, Story, principal_of

PERMIT_ALL = "permit(principal, action, resource);"
SCHEMA = {"type": "object"}
BOB = principal_of("bob via desk as billing")
Json = dict[str, Any]


def stage_of(*faults: str, **given: Any) -> Stage:
    """A gateway before one upstream, ``clinic``, at ``/mcp`` and ``/mcp/clinic``."""
    told = {"principal": "alice via desk as doctor", "policy": PERMIT_ALL,
            "tools": {"get_patient": SCHEMA}, **given}  # fmt: skip
    stage = Stage(Story("", told, {}, {}, faults), MemoryEvents())
    both = {
        "/mcp": Endpoint("/mcp", ("clinic",), prefixed=True),
        stage.endpoint.path: stage.endpoint,
    }
    stage.gateway.state = msgspec.structs.replace(stage.gateway.state, endpoints=both)
    return stage


def regate(stage: Stage, **changes: Any) -> None:
    """The stage's gate with other parts, as after a reload."""
    state = stage.gateway.state
    gate = msgspec.structs.replace(state.gate, **changes)
    stage.gateway.state = msgspec.structs.replace(state, gate=gate)


async def rows(stage: Stage) -> list[AuditEvent]:
    """Every row of the journal, oldest first."""
    await stage.journal.flush()
    return [row.event for row in stage.events.tail(1_000)]


class Waiting:
    """An upstream whose tools run until ``finish``; lists are answered at once."""

    def __init__(self, simulated: SimulatedUpstream) -> None:
        self.reached = asyncio.Event()
        self.finish = asyncio.Event()
        self.hears: Hears | None = None
        self.call: Any = None
        self._simulated = simulated

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        if permit.call.method != "tools/list":
            self.hears, self.call = hears, permit.call
            self.reached.set()
            await self.finish.wait()
        return await self._simulated.send(permit, hears)


class Said(msgspec.Struct, frozen=True):
    answer: Answer

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def body(self) -> Any:
        return orjson.loads(self.answer.body)

    @property
    def result(self) -> Any:
        return self.body["result"]

    @property
    def error(self) -> Any:
        return self.body["error"]

    @property
    def reason(self) -> str:
        """Catalogue code of a refusal."""
        if not self.answer.body:
            return ""
        if "error" in self.body:
            return str(self.error["data"]["reason"])
        return str(self.result.get("_meta", {}).get("lockgate/reason", ""))


class Speaker:
    """One client of one person. ``heard``: the messages it got beside its answers."""

    def __init__(
        self,
        stage: Stage,
        path: str = "/mcp/clinic",
        who: Principal | None = None,
        capabilities: Json | None = None,
    ) -> None:
        self.stage = stage
        self.path = path
        self.principal = who or stage.principal
        self.capabilities = capabilities or {}
        self.heard: list[Json] = []
        self.session = ""
        self._asked: asyncio.Queue[Json] = asyncio.Queue()
        self._calls = 0

    async def modern(
        self, method: str, params: Json | None = None, id: object = 1, **header: str
    ) -> Said:
        said = params or {}
        meta = {f"{OWNED}clientCapabilities": self.capabilities, **said.get("_meta", {})}
        whole = enveloped({**said, "_meta": meta})
        body = {"jsonrpc": "2.0", "id": id, "method": method, "params": whole}
        named = {name.replace("_", "-"): value for name, value in header.items()}
        return await self.post(orjson.dumps(body), {**mirror(method, params or {}), **named})

    async def open(self, version: str = LEGACY) -> Said:
        params = {"protocolVersion": version, "capabilities": self.capabilities,
                  "clientInfo": {"name": "test", "version": "1"}}  # fmt: skip
        said = await self.legacy("initialize", params)
        self.session = said.answer.session
        return said

    async def legacy(self, method: str, params: Json | None = None, id: object = 1) -> Said:
        body = {"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}}
        return await self.post(orjson.dumps(body), self._in_session())

    async def notify(self, method: str, params: Json | None = None) -> Said:
        body = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        return await self.post(orjson.dumps(body), self._in_session())

    async def post(
        self, body: bytes, headers: Mapping[str, str] = {}, *, mirrored: bool = True
    ) -> Said:
        sent = self._headers(headers)
        incoming = Incoming(body, sent if mirrored else sent.optional(), self.caller())
        return Said(await self.stage.gateway.handle(incoming, self._hear))

    def _hear(self, raw: bytes) -> None:
        said = orjson.loads(raw)
        self.heard.append(said)
        if "id" in said:
            self._asked.put_nowait(said)

    async def question(self) -> Json:
        """The next request that an upstream puts to this client."""
        async with asyncio.timeout(10):
            return await self._asked.get()

    async def answer(self, id: object, result: object, **more: object) -> Said:
        """What a legacy client says to a question."""
        body = {"jsonrpc": "2.0", "id": id, "result": result, **more}
        return await self.post(orjson.dumps(body), self._in_session())

    async def end(self) -> Said:
        """DELETE of the session."""
        headers = self._headers(self._in_session())
        return Said(await self.stage.gateway.end_session(headers, self.caller()))

    def caller(self) -> Caller:
        self._calls += 1
        endpoint = Endpoint(self.path, ("clinic",), self.path == "/mcp")
        return Caller(self.principal, endpoint, "192.0.2.1", f"{self.principal.id}/{self._calls}")

    @property
    def last(self) -> str:
        """Call id of what was said last."""
        return f"{self.principal.id}/{self._calls}"

    def _in_session(self) -> dict[str, str]:
        return {"mcp-session-id": self.session} if self.session else {}

    def _headers(self, said: Mapping[str, str]) -> Headers:
        return Headers([(name.encode(), value.encode()) for name, value in said.items()])


def named(listed: Sequence[Json], key: str = "name") -> list[str]:
    return [item[key] for item in listed]
