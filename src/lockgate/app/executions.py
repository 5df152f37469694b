"""Calls that a person said yes to are made by the gateway itself, once, whoever waits for them.

A worker takes an approved question by a lease, makes the stored call again through the same
pipeline, where everything is judged anew and the approval is used up in one step with that, and
what comes of it is kept for whoever asked. A worker that dies before it used the approval is
followed by another; one that dies after leaves a question that says so (``approval.leases``).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from lockgate.app.gateway import State
from lockgate.app.inflight import InFlight
from lockgate.app.stamps import new_id, now_ms
from lockgate.app.wiring import Plant
from lockgate.approval import engine
from lockgate.approval.desk import Desk, Found, Held
from lockgate.approval.facts import still_good
from lockgate.approval.payload import StoredCall, read_stored
from lockgate.approval.questions import event
from lockgate.identity.refusal import AuthRefusal
from lockgate.model import Call, Decision, JournalDown, Principal, StoreDown
from lockgate.model.inquiry import Asked, Inquiry, Kept
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.pipeline.ports import Approvals
from lockgate.pipeline.run import REVOKED, SILENT, USED, Refused, run
from lockgate.wire.methods import METHODS
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.rounds import is_input_required

log = logging.getLogger("lockgate.executions")

MOST_AT_ONCE = 16
"""In one worker, over all principals; each principal's own limits count besides."""
AGAIN_MS = 1_000
"""Until it is tried again where it cannot be carried out now."""
SUPERSEDED, LAPSED = "approval.superseded", "approval.lapsed"
_PASSING = frozenset({"quota", "upstream", "journal"})
_PASSES = frozenset({"auth.unknown", "approval.unknown", "resolve.no-catalogue", "pipeline.failed"})
"""What may be otherwise in a moment: areas, and reasons. All else ends the question."""


class Ended(Exception):
    """It cannot be carried out as it was approved, for the reason code it carries."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Decided:
    """The desk for a call that a person has decided on: it never asks anybody anew."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def hold(self, call: Call, decision: Decision) -> Held:  # noqa: ARG002
        """What was said yes to is not what is asked now."""
        return Held(None, SUPERSEDED)

    async def join(self, ids: Sequence[str]) -> Held:  # noqa: ARG002
        return Held(None, "approval.used")

    async def look(self, id: str, who: Principal) -> Found | None:
        return await self._desk.look(id, who)

    async def finish(self, ids: Sequence[str], why: str, kept: Kept | None) -> None:
        if kept is not None and not kept.is_error and is_input_required(kept.raw):
            why, kept = "upstream.needs-input", None
        await self._desk.finish(ids, why, kept)


class Exactly:
    """Uses up approvals for a call that rests on ``id``, and for no other: what would pass without
    that yes was not what was asked, and could run twice."""

    def __init__(self, approvals: Approvals, id: str) -> None:
        self._approvals = approvals
        self._id = id

    async def consume(self, ids: Sequence[str]) -> bool:
        return self._id in ids and await self._approvals.consume(ids)


class Executions:
    """Of one worker. ``in_force``: the state that a call beginning now meets; ``inflight``: lets
    what runs end when the gateway stops."""

    def __init__(self, plant: Plant, in_force: Callable[[], State], inflight: InFlight) -> None:
        self._plant = plant
        self._in_force = in_force
        self._inflight = inflight
        self._running: set[str] = set()

    async def look(self) -> None:
        """Begin what is approved and nobody's. Raises ``StoreDown`` where nobody can say."""
        now, approvals = now_ms(), self._plant.approvals
        for asked in reversed(approvals.live()):  # the oldest first
            if self._inflight.draining or len(self._running) >= MOST_AT_ONCE:
                return
            if is_due(asked.inquiry, now) and asked.inquiry.id not in self._running:
                self._begin(asked)

    def _begin(self, asked: Asked) -> None:
        id = asked.inquiry.id
        self._running.add(id)
        task = asyncio.ensure_future(self._carry_out(asked))
        self._inflight.watch(task)
        self._inflight.abandon(task)
        task.add_done_callback(lambda _: self._running.discard(id))

    async def _carry_out(self, asked: Asked) -> None:
        taken_here, id = self._plant.leases.taken, asked.inquiry.id
        try:
            taken = engine.take(asked.inquiry, self._plant.approvals.node, now_ms())
            if not await self._put(taken):
                return  # somebody else has it, or it changed
            taken_here.add(id)
            await self._follow(Asked(taken, asked.votes))
        except engine.Refusal:
            return  # its time is over
        except (StoreDown, JournalDown) as down:
            log.warning("an approved call waits: %s", down)  # until the lease ends
        finally:
            taken_here.discard(id)

    async def _follow(self, asked: Asked) -> None:
        """Raises ``StoreDown`` and ``JournalDown``."""
        id, wait = asked.inquiry.id, AGAIN_MS
        try:
            refused = await self._make(asked)
            why = refused.reason if refused else ""
            wait = max(wait, refused.retry_after_ms if refused else 0)
        except Ended as ended:
            why = ended.why
        except WireRefusal as gone:
            why = gone.reason
        now = await asyncio.to_thread(self._plant.inquiries.get, id)
        if now is None or now.inquiry.state != "approved":
            return  # it was used, here or by its client; or somebody took it back
        if passes(why):
            await self._put(engine.put_off(now.inquiry, now_ms() + wait))
        else:
            await self._end(now.inquiry, SUPERSEDED if why == USED else why)

    async def _make(self, asked: Asked) -> Refused | None:
        """Make the stored call again. Raises ``Ended``, ``WireRefusal``, ``StoreDown`` and
        ``JournalDown``."""
        one, state = asked.inquiry, self._in_force()
        if not still_good(asked, self._plant.approvers, now_ms()):
            raise Ended(LAPSED)
        stored = await self._stored(one)
        caller = self._caller(one, stored)
        call = await state.resolver.again(stored.call(), caller, state.gate)
        tool = call.tool.hash if call.tool else ""
        if one.binding is None or one.binding.tool != tool:
            raise Ended("approval.tool-changed")
        if one.binding.call != call.digest:
            raise Ended(SUPERSEDED)
        approvals = Exactly(state.gate.approvals, one.id)
        gate = replace(state.gate, desk=Decided(self._plant.desk), approvals=approvals)
        answer = await run(call, gate, SILENT)
        return answer if isinstance(answer, Refused) else None

    async def _stored(self, one: Inquiry) -> StoredCall:
        raw = await asyncio.to_thread(self._plant.inquiries.payload, one.id)
        if raw is None:
            raise Ended(SUPERSEDED)
        stored = read_stored(raw)
        if METHODS[stored.method].kind != "item":  # it means something to its client alone
            await self._put(replace(one, on_retry=True, version=one.version + 1))
            raise Ended("approval.unknown")
        return stored

    def _caller(self, one: Inquiry, stored: StoredCall) -> Caller:
        """Whoever asked, as they are known now. Raises ``Ended``."""
        said = stored.envelope
        since = one.since or one.created
        found = self._plant.authenticator.later(stored.principal, since, said.peer, now_ms())
        if isinstance(found, AuthRefusal):
            log.info("an approved call of %s: %s", one.id, found.detail)
            raise Ended("auth.unknown" if found.reason == "auth.unknown" else REVOKED)
        endpoint = Endpoint(said.endpoint, (stored.upstream.name,), prefixed=False)
        return Caller(found, endpoint, said.peer, f"{stored.id}.a{one.version}", streams=False)

    async def _end(self, one: Inquiry, why: str) -> None:
        now = now_ms()
        step = engine.revoke if why == LAPSED else engine.supersede
        try:
            over = step(one, now, why)
        except engine.Refusal:
            return  # its time is over
        if await self._put(over):
            self._plant.journal.note(event(new_id(), over.state, over, now))

    async def _put(self, changed: Inquiry) -> bool:
        return await asyncio.to_thread(self._plant.inquiries.replace, changed)


def is_due(one: Inquiry, now: int) -> bool:
    """It is approved, the gateway's to carry out, and no worker's now."""
    call = one.kind == "call" and one.scope is None and not one.on_retry
    return call and one.at(now).state == "approved" and now >= one.lease


def passes(why: str) -> bool:
    """Whether it may be otherwise in a moment."""
    return why in _PASSES or why.partition(".")[0] in _PASSING
