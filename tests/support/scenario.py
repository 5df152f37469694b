"""Runs ``tests/scenarios/*.toml``: what a security officer wrote, through the real gateway.

A scenario is told in-process over each era and store. ``given`` sets the stage, ``when`` is what
the client asks, ``then`` what must come of it; each ``[[also]]`` is the same call in worse weather
or with other words. ``controls`` names the controls that the scenario is about.
"""

import asyncio
import tomllib
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import orjson

from lockgate.app.answers import Answer
from lockgate.app.gateway import Gateway, State
from lockgate.app.incoming import Incoming
from lockgate.app.wiring import ApprovalSource
from lockgate.approval import engine
from lockgate.approval.desk import Desk
from lockgate.approval.rules import ApprovalRules
from lockgate.audit.journal import GroupCommitJournal
from lockgate.audit.ports import EventStore
from lockgate.model import (
    APPROVALS,
    NOW,
    QUOTA,
    REASONS,
    AuditEvent,
    Call,
    FactKey,
    Permit,
    Principal,
    Reply,
    SendFailed,
    StoreDown,
    Upstream,
)
from lockgate.model.inquiry import Vote
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.pipeline.gather import Gatherer
from lockgate.pipeline.order import order
from lockgate.pipeline.ports import Source
from lockgate.pipeline.record import Stamp
from lockgate.pipeline.resolve import Resolver
from lockgate.pipeline.run import Gate
from lockgate.pipeline.sessions import Cursors, Rounds, Sessions
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.mapping import ArgumentMapping
from lockgate.store.approvals import StandingApprovals
from lockgate.store.memory_inquiries import MemoryInquiries
from lockgate.store.quota import MemoryBuckets, QuotaLimits, Reservations
from lockgate.store.sealing import AesGcmSealer
from lockgate.store.session_states import MemorySessionStates
from lockgate.store.sessions import MemorySessions
from lockgate.upstream.catalogue import ToolCache, tools_in
from lockgate.upstream.link import Hears, LinkReply
from lockgate.wire.headers import Headers
from lockgate.wire.strict_json import Limits
from support.inquiries import operators

FOLDER = Path(__file__).parents[1] / "scenarios"
NOW_MS = 1_000_000


class Story(msgspec.Struct, frozen=True):
    """One telling: a scenario, or one of its variants."""

    title: str
    given: Mapping[str, Any]
    when: Mapping[str, Any]
    then: Mapping[str, Any]
    faults: tuple[str, ...]
    eras: tuple[str, ...] = ("legacy", "modern")
    """Of the clients that it is about."""


def read_stories(folder: Path = FOLDER) -> list[Story]:
    return [s for path in sorted(folder.glob("*.toml")) for s in stories_of(path.read_text())]


def stories_of(text: str) -> list[Story]:
    """Raises ``KeyError`` for a scenario that lacks a part."""
    told = tomllib.loads(text)
    given, when = told["given"], told["when"]
    eras = tuple(told.get("eras", ("legacy", "modern")))
    first = Story(told["title"], given, when, told["then"], tuple(told.get("faults", ())), eras)
    also = [
        Story(
            f"{told['title']} / {one.get('title', number)}",
            {**given, **one.get("given", {})},
            {**when, **one.get("when", {})},
            one["then"],
            tuple(one.get("faults", ())),
            tuple(one.get("eras", eras)),
        )
        for number, one in enumerate(told.get("also", []), 1)
    ]
    return [first, *also]


class SimulatedUpstream:
    """Answers as ``given`` says, and remembers what reached it. Takes only a ``Permit``."""

    def __init__(self, given: Mapping[str, Any], faults: Sequence[str], tools: ToolCache) -> None:
        self.tools = [
            {"name": name, "inputSchema": schema} for name, schema in given["tools"].items()
        ]
        self.result = given.get("result", {"content": [{"type": "text", "text": "done"}]})
        self.notices = given.get("notices", [])
        self.asks = given.get("asks", [])
        self.task = given.get("task")
        """Every call becomes a task, and this is how it is doing."""
        self.answers: list[str] = []
        """What came back for each question: the action, or the reason why there is none."""
        self.fault = next((f.split(": ")[1] for f in faults if f.startswith("upstream")), "")
        self.calls: list[Call] = []
        self._cache = tools

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        call = permit.call
        if call.method == "tools/list":
            raw = orjson.dumps({"tools": self.tools})
            self._cache.put(call.upstream, call.terms, tools_in(call.upstream, raw))
            return Reply(call, raw)
        self.calls.append(call)
        if self.fault:
            raise SendFailed(f"upstream.{self.fault}", "simulated")
        for params in self.notices:
            hears.note("notifications/progress", orjson.dumps(params))
        for ask in self.asks:
            params = orjson.dumps(ask.get("params", {}))
            said = await hears.ask(ask["method"], params, ask.get("era", "legacy"))
            self.answers.append(_shown(said))
        return Reply(call, orjson.dumps(self.result if self.task is None else self._said(call)))

    def _said(self, call: Call) -> dict[str, Any]:
        if call.method == "tools/call":
            return {"resultType": "task", "taskId": "theirs", "status": "working"}
        return {"taskId": "theirs", **(self.task or {})} if call.method == "tasks/get" else {}


def _shown(said: LinkReply) -> str:
    decoded = orjson.loads(said.raw)
    if not said.is_error:
        return str(decoded.get("action", "answered"))
    return next(code for code, one in REASONS.items() if one.says == decoded["message"])


class Learnt:
    """A source that works, or is down."""

    def __init__(self, source: Any, down: bool) -> None:
        self._source, self._down = source, down

    def learn(self, call: Call) -> Any:
        if self._down:
            raise StoreDown("simulated")
        return self._source.learn(call)

    def settle(self, value: Any) -> None:
        self._source.settle(value)


class Now:
    def learn(self, call: Call) -> int:
        return NOW_MS

    def settle(self, value: int) -> None:
        """Nothing was reserved."""


class Failing:
    """An event store that is down."""

    def append(self, events: Sequence[AuditEvent]) -> None:
        raise StoreDown("simulated")


class Stage:
    """A whole gateway in one process, set as one story says."""

    def __init__(self, story: Story, events: EventStore) -> None:
        given, faults = story.given, story.faults
        self.story = story
        self.events = events
        self.principal = proved(principal_of(given["principal"]), given)
        self.upstream = Upstream(given.get("upstream", "clinic"))
        tools = ToolCache()
        self.simulated = SimulatedUpstream(given, faults, tools)
        self.inquiries = MemoryInquiries(lambda: NOW_MS)
        self.approvals = StandingApprovals(self.inquiries, lambda: NOW_MS)
        self.approvals.refresh(NOW_MS)
        self.approvers = operators(lambda: NOW_MS)
        policy = PolicyBundle.compile(
            {"given.cedar": given["policy"]}, mapping_of(given, self.upstream)
        )
        marks = {(self.upstream.name, tool): f for tool, f in given.get("hold", {}).items()}
        shipped = order(policy, marks)
        quota = QuotaLimits(*given.get("limits", (600, 60, 8)))
        sources: dict[FactKey[Any], Source] = {
            NOW: Learnt(Now(), "clock: down" in faults),
            QUOTA: Learnt(
                Reservations(quota, MemoryBuckets(lambda: NOW_MS)), "quota: down" in faults
            ),
            APPROVALS: Learnt(
                ApprovalSource(self.approvals, self.approvers, lambda: NOW_MS),
                "approvals: down" in faults,
            ),
        }
        store = Failing() if "journal: down" in faults else events
        self.journal = GroupCommitJournal(store)  # type: ignore[arg-type]
        self._stamps = 0
        gate = Gate(
            shipped,
            Gatherer(sources, 1.0),
            self.journal,
            self.simulated,
            self.approvals,
            self._desk(),
            self.stamp,
        )
        self.endpoint = Endpoint(f"/mcp/{self.upstream.name}", (self.upstream.name,), False)
        resolver = Resolver({self.upstream.name: self.upstream}, tools)
        ended = MemorySessions(lambda: NOW_MS)
        ended.refresh(NOW_MS)
        sealer = AesGcmSealer(b"s" * 32)
        self.states = MemorySessionStates(lambda: NOW_MS)
        self.gateway = Gateway(
            State(gate, resolver, {self.endpoint.path: self.endpoint}, Limits()),
            Sessions(sealer, ended, 60_000),
            Cursors(sealer),
            Rounds(sealer),
            self.states,
            sealer,
            lambda reason, peer: self.counted.append((reason, peer)),
        )
        self.counted: list[tuple[str, str]] = []
        self.heard: list[bytes] = []
        self._session: list[tuple[bytes, bytes]] = []
        self._answering: list[asyncio.Future[Answer]] = []

    def _desk(self) -> Desk:
        ids = (f"q-{number}" for number in count(1))
        return Desk(self.inquiries, ApprovalRules, self.journal.note, lambda: NOW_MS,
                    lambda: self.stamp().id, lambda: next(ids))  # fmt: skip

    def stamp(self) -> Stamp:
        self._stamps += 1
        return Stamp(f"e-{self._stamps:04}", NOW_MS)

    def approve(self, factor: str) -> None:
        """A person says yes to exactly the call of this story."""
        (asked,) = self.inquiries.listed(["pending"])
        one = asked.inquiry
        given = Vote(one.id, "os:dora", "yes", one.digest, NOW_MS, (factor,))
        after = engine.vote(asked, given, own=False, standing={}).inquiry
        assert self.inquiries.replace(after, given)
        self.approvals.refresh(NOW_MS)

    async def ask(self, era: str, call: str) -> Answer:
        """What ``when`` says, as a client of this era says it."""
        headers, message = spoken(era, self.story.when)
        if era == "legacy":
            opened = await self._post([], opening(self.story.when), f"{call}-open")
            headers.append((b"mcp-session-id", opened.session.encode()))
            self._session = headers
            return await self._post(headers, message, call)
        method = self.story.when.get("follow")
        first = f"{call}-call" if method else call
        answer = await self._post(headers, message, first)
        while asked := _questions(answer):
            message = spoken(era, self.story.when, self._again(*asked))[1]
            answer = await self._post(headers, message, first)
        return await self._follow(method, answer, call) if method else answer

    async def _follow(self, method: str, answer: Answer, call: str) -> Answer:
        """Ask about the task that a call became, as ``when.follow`` says."""
        task = orjson.loads(answer.body)["result"].get("taskId")
        if task is None:
            return answer
        about = {"method": method, "capabilities": self.story.when.get("capabilities", {})}
        more = {"taskId": task, "inputResponses": self.story.when.get("answer", {})}
        headers, message = spoken("modern", about, more)
        return await self._post([*headers, (b"mcp-name", task.encode())], message, call)

    def _again(self, requests: Mapping[str, Any], state: str) -> dict[str, Any]:
        said = self.story.when.get("answer", {})
        return {"inputResponses": dict.fromkeys(requests, said), "requestState": state}

    def _hear(self, raw: bytes) -> None:
        """As a legacy client: what is asked is answered with a message of its own."""
        self.heard.append(raw)
        message = orjson.loads(raw)
        if "id" in message:
            said = {"jsonrpc": "2.0", "id": message["id"], "result": self.story.when["answer"]}
            posting = self._post(self._session, orjson.dumps(said), "c-answer")
            self._answering.append(asyncio.ensure_future(posting))

    async def _post(self, headers: list[tuple[bytes, bytes]], message: bytes, call: str) -> Answer:
        caller = Caller(self.principal, self.endpoint, "192.0.2.1", call)
        return await self.gateway.handle(Incoming(message, Headers(headers), caller), self._hear)

    def recorded(self, call: str = "") -> list[AuditEvent]:
        rows = [row.event for row in self.events.tail(1_000)]
        return [e for e in rows if e.kind.startswith("call.") and (not call or e.call == call)]


def principal_of(text: str) -> Principal:
    """``alice via desk as doctor, auditor``; ``service ci as builder``."""
    who, _, roles = text.partition(" as ")
    who, _, agent = who.partition(" via ")
    service = who.startswith("service ")
    subject = who.removeprefix("service ")
    held = frozenset(r.strip() for r in roles.split(",") if r.strip())
    return Principal(
        kind="service" if service else "person", subject=subject, roles=held, agent=agent,
        owner=subject, authn=frozenset({"api_key"}),
    )  # fmt: skip


def proved(principal: Principal, given: Mapping[str, Any]) -> Principal:
    """With what was proved (an API key where ``authn`` does not say) and the ``scopes``."""
    return msgspec.structs.replace(
        principal,
        authn=frozenset(given.get("authn", principal.authn)),
        scopes=frozenset(given.get("scopes", ())),
    )


def mapping_of(given: Mapping[str, Any], upstream: Upstream) -> ArgumentMapping:
    named = given.get("arguments", {})
    return ArgumentMapping({(upstream.name, tool): types for tool, types in named.items()})


def opening(when: Mapping[str, Any]) -> bytes:
    return orjson.dumps({
        "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": when.get("capabilities", {}),
                   "clientInfo": {"name": "scenario", "version": "1"}},
    })  # fmt: skip


def _questions(answer: Answer) -> tuple[Mapping[str, Any], str] | None:
    result = orjson.loads(answer.body).get("result", {})
    if result.get("resultType") != "input_required":
        return None
    return result["inputRequests"], result["requestState"]


def spoken(
    era: str, when: Mapping[str, Any], more: Mapping[str, Any] = {}
) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of the request. ``more``: further params."""
    method = when.get("method", "tools/call")
    params: dict[str, Any] = {}
    if method == "tools/call":
        params = {"name": when["tool"], "arguments": when.get("arguments", {})}
    meta: dict[str, Any] = {"progressToken": "p-1"} if when.get("progress") else {}
    headers = []
    if era == "modern":
        meta |= {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": when.get("capabilities", {}),
        }
        headers = [(b"mcp-protocol-version", b"2026-07-28"), (b"mcp-method", method.encode())]
        headers += [(b"mcp-name", params["name"].encode())] if "name" in params else []
    if meta:
        params["_meta"] = meta
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, **more}}
    return headers, orjson.dumps(message)


def told(answer: Answer) -> dict[str, Any]:
    """An answer in the words of ``then``: reason of a refusal, or what was let through."""
    body = orjson.loads(answer.body)
    if "error" in body:
        return {"reason": body["error"]["data"]["reason"]}
    result = body["result"]
    if result.get("isError"):
        return {"reason": result["_meta"]["lockgate/reason"], "text": result["content"][0]["text"]}
    shown = {}
    if "tools" in result:
        shown["shows"] = [t["name"] for t in result["tools"]]
        shown["conditional"] = [
            t["name"] for t in result["tools"] if t.get("_meta", {}).get("lockgate/conditional")
        ]
    return {"reason": "", "result": result, **shown}
