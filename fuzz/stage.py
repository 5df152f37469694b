"""A whole gateway in one process, without a socket: two people, one upstream that says what it is
told to, and a journal that knows what was recorded before what."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from lockgate.app.answers import Answer
from lockgate.app.gateway import Gateway, State
from lockgate.app.incoming import Incoming
from lockgate.app.stamps import now_ms, stamp
from lockgate.approval.desk import Held
from lockgate.model import (
    APPROVALS,
    NOW,
    QUOTA,
    Approval,
    AuditEvent,
    Call,
    Decision,
    FactKey,
    Permit,
    Principal,
    Reply,
    Upstream,
)
from lockgate.model.inquiry import Kept
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.pipeline.gather import Gatherer
from lockgate.pipeline.order import order
from lockgate.pipeline.ports import Source
from lockgate.pipeline.resolve import Resolver
from lockgate.pipeline.run import Gate
from lockgate.pipeline.sessions import Cursors, Rounds, Sessions
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.mapping import ArgumentMapping
from lockgate.store.quota import MemoryBuckets, QuotaLimits, Reservations
from lockgate.store.sealing import AesGcmSealer
from lockgate.store.session_states import MemorySessionStates
from lockgate.store.sessions import MemorySessions
from lockgate.upstream.catalogue import ToolCache, tools_in
from lockgate.upstream.link import Hears
from lockgate.wire.headers import Headers
from lockgate.wire.strict_json import Limits

T = TypeVar("T")

ANN = Principal("person", "ann", agent="desk", owner="ann", authn=frozenset({"api_key"}))
EVE = Principal("person", "eve", agent="desk", owner="eve", authn=frozenset({"api_key"}))
UP = Upstream("up")
WHOLE, ONE = Endpoint("/mcp", ("up",), True), Endpoint("/mcp/up", ("up",), False)
POLICY = 'permit(principal in Role::"any", action, resource); permit(principal, action, resource);'
REGION = b'{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}'
TOOLS = (
    b'{"tools":[{"name":"echo","inputSchema":{"type":"object"}},'
    b'{"name":"region","inputSchema":%b},'
    b'{"name":"strict","inputSchema":{"type":"object","properties":{"n":{"type":"integer"}},'
    b'"additionalProperties":false}}]}' % REGION
)
RESULT = b'{"content":[{"type":"text","text":"done"}]}'
_TURNS = 500
"""Of the event loop, in which everything that happens in memory has happened."""
_MOST_TURNS = 20 * _TURNS


class Ledger:
    """Satisfies ``pipeline.ports.Journal``: what is committed is there at once."""

    healthy = True

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    async def commit(self, event: AuditEvent) -> None:
        self.events.append(event)

    def note(self, event: AuditEvent) -> None:
        self.events.append(event)

    def intent_of(self, call: Call) -> bool:
        """Whether exactly this call may happen: permitted, and on record."""
        return any(
            e.kind == "call.intent" and e.call == call.id and e.header["digest"] == call.digest
            and e.effect == "permit"
            for e in self.events
        )  # fmt: skip


Script = Callable[[Permit, Hears], Awaitable[Reply]]


async def answer_plainly(permit: Permit, _hears: Hears) -> Reply:
    return Reply(permit.call, RESULT)


class Behind:
    """Satisfies ``pipeline.ports.Sender``. Nothing may reach it that is not on record."""

    def __init__(self, ledger: Ledger, tools: ToolCache) -> None:
        self.script: Script = answer_plainly
        self.calls: list[Call] = []
        self._ledger, self._tools = ledger, tools

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        assert self._ledger.intent_of(permit.call), "forwarded without a recorded intent"
        if permit.call.method == "tools/list":
            call = permit.call
            self._tools.put(call.upstream, call.terms, tools_in(call.upstream, TOOLS))
            return Reply(call, TOOLS)
        self.calls.append(permit.call)
        return await self.script(permit, hears)


class Clock:
    def learn(self, _call: Call) -> int:
        return 1_000_000

    def settle(self, value: int) -> None:
        """Nothing was reserved."""


class Nobody:
    """No approvals, and none is ever asked for."""

    def learn(self, _call: Call) -> tuple[Approval, ...]:
        return ()

    def settle(self, value: Any) -> None:
        """Nothing was reserved."""

    async def consume(self, _ids: Sequence[str]) -> bool:
        return True

    async def hold(self, _call: Call, _decision: Decision) -> Held:
        return Held(None)

    async def finish(self, _ids: Sequence[str], _why: str, _kept: Kept | None) -> None:
        """Nothing was used."""


class Stage:
    """Made anew now and then: what a long run piles up is not what is looked for."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        tools = ToolCache()
        self.behind = Behind(self.ledger, tools)
        shipped = order(PolicyBundle.compile({"fuzz.cedar": POLICY}, ArgumentMapping()), {})
        most = 10**9
        self.quota = Reservations(QuotaLimits(most, most, most), MemoryBuckets(lambda: 0))
        sources: dict[FactKey[Any], Source] = {
            NOW: Clock(), QUOTA: self.quota, APPROVALS: Nobody()
        }  # fmt: skip
        gate = Gate(shipped, Gatherer(sources, 60.0), self.ledger, self.behind, Nobody(), Nobody(),
                    stamp)  # fmt: skip
        endpoints = {one.path: one for one in (WHOLE, ONE)}
        sealer = AesGcmSealer(b"f" * 32)
        ended = MemorySessions(now_ms)
        ended.refresh(now_ms())
        self.sessions = Sessions(sealer, ended, 10**9)
        self.refused: list[tuple[str, str]] = []
        self.gateway = Gateway(
            State(gate, Resolver({"up": UP}, tools), endpoints, Limits()),
            self.sessions,
            Cursors(sealer),
            Rounds(sealer),
            MemorySessionStates(now_ms),
            sealer,
            lambda reason, peer: self.refused.append((reason, peer)),
            "n1",
        )
        self._number = 0

    async def post(
        self,
        raw: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        put: Callable[[bytes], None],
        *,
        who: Principal = ANN,
        endpoint: Endpoint = WHOLE,
        stdio: bool = False,
    ) -> Answer:
        self._number += 1
        sent = Headers(headers)
        caller = Caller(who, endpoint, "192.0.2.1", f"c{self._number}")
        return await self.gateway.handle(
            Incoming(raw, sent.optional() if stdio else sent, caller), put
        )

    def begin(self) -> None:
        """Forget what earlier inputs left in the records."""
        self.ledger.events.clear()
        self.behind.calls.clear()
        self.refused.clear()
        self.behind.script = answer_plainly

    def check_over(self) -> None:
        """Whatever was begun has ended, and every intent has its outcome."""
        assert self.gateway.inflight.running == 0, "a call runs on"
        assert self.gateway.dialogue.asking.open == 0, "a question stays open"
        assert self.gateway.hub.open == 0, "a stream stays open"
        events = self.ledger.events
        ended = {e.call for e in events if e.kind.startswith("call.") and e.kind != "call.intent"}
        begun = {e.call for e in events if e.kind == "call.intent" and e.effect == "permit"}
        assert begun <= ended, f"no outcome for {begun - ended}"


LOOP = asyncio.new_event_loop()


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, however far it is. What waits for what will never come hangs."""
    return LOOP.run_until_complete(_finish(work))


async def _finish(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    await settle(task, _MOST_TURNS)
    if not task.done():
        task.cancel()
        await settle(task)
        raise AssertionError("it waits for ever")
    return await task


async def settle(task: "asyncio.Task[Any]", turns: int = _TURNS) -> None:
    """Until the task is over, or waits for something from outside."""
    for _ in range(turns):
        if task.done():
            return
        await asyncio.sleep(0)
