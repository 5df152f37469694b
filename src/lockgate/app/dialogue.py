"""Calls that may ask their client something before they end: begun, handed over, taken up again."""

import hashlib
from collections.abc import Awaitable
from typing import Any

import msgspec
import orjson

from lockgate.app.answers import Answer, finished, outer, refused, released
from lockgate.app.asking import ASK_SECONDS, Asking, Put
from lockgate.app.clients import Conversation, Streamed, Waiting
from lockgate.app.inflight import InFlight
from lockgate.app.parking import Parking
from lockgate.app.pending import Pending
from lockgate.app.stamps import now_ms
from lockgate.app.tasks import TaskDesk
from lockgate.app.turn import Turn
from lockgate.model import Call, Release, Reply, canonical
from lockgate.model.inquiry import Inquiry
from lockgate.pipeline.caller import Caller
from lockgate.pipeline.rounds import converse, input_of
from lockgate.pipeline.run import USED, Refused
from lockgate.pipeline.sessions import Rounds, RoundState
from lockgate.wire import capabilities, edit
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.request import Request
from lockgate.wire.rounds import input_result
from lockgate.wire.tasks import is_task, with_id

LIFE_MS = int(ASK_SECONDS * 1000)


class Dialogue:
    """One worker's conversations with its clients."""

    def __init__(self, rounds: Rounds, tasks: TaskDesk, inflight: InFlight, node: str = "") -> None:
        self.node = node
        self.asking = Asking(node)
        self.parking = Parking()
        self.pending = Pending(self.asking, tasks.tasks, self._seal_turn)
        self._rounds = rounds
        self._tasks = tasks
        self._inflight = inflight

    def round_of(self, request: Request, caller: Caller) -> RoundState | None:
        """What the client carried here from an earlier round of this very call.

        Raises ``WireRefusal`` ``round.invalid``.
        """
        if request.state is None:
            return None
        path = caller.endpoint.path
        return self._rounds.open(request.state, caller.principal, path, _about(request), now_ms())

    async def begin(self, turn: Turn, call: Call) -> Answer:
        """Make the call. Where a person must agree first, its client waits as it can."""

        def again(number: int) -> Awaitable[Answer | Refused]:
            id, first = f"{call.id}.h{number}", call.part_of or call.id
            return self._make(turn, msgspec.structs.replace(call, id=id, part_of=first))

        until = self.pending.until
        said = await self.pending.declined(turn) or await self._make(turn, call)
        if isinstance(said, Refused) and said.reason == USED:  # somebody was faster: look again
            said = await again(0)
        if isinstance(said, Answer):
            return said
        return await self.pending.answer(turn, said, again, until)

    async def _make(self, turn: Turn, call: Call) -> Answer | Refused:
        """Its answer; what was refused only where that may change by itself."""
        request, caller, gate = turn.request, turn.caller, turn.gate
        client = self._client(request, call, caller, turn.put)
        if isinstance(client, Conversation):
            self._inflight.watch(client.begin(converse(call, gate, client)))
            said = await client.next()
        else:
            said = await converse(call, gate, client)
        if isinstance(said, Refused) and (said.inquiry is not None or said.reason == USED):
            return said
        return self._go_on(request, said, client, caller)

    async def resume(self, request: Request, state: RoundState, caller: Caller, put: Put) -> Answer:
        """Raises ``WireRefusal`` ``round.gone`` where nothing waits for these answers here."""
        conversation = self.parking.take(state.parked, caller.principal.holder)
        if conversation is None:
            raise WireRefusal("round.gone")
        conversation.resume(request, put)
        return self._go_on(request, await conversation.next(), conversation, caller)

    def _client(self, request: Request, call: Call, caller: Caller, put: Put) -> Waiting:
        if call.envelope.asks == capabilities.NOTHING:
            return Waiting(request, put)
        if request.era == "modern":
            return Conversation(request, put)
        return Streamed(request, put, self.asking) if caller.streams else Waiting(request, put)

    def _go_on(
        self, request: Request, said: Release | Refused | None, client: Waiting, caller: Caller
    ) -> Answer:
        if said is not None:
            return self._answered(request, said, caller)
        assert isinstance(client, Conversation)  # noqa: S101 - nothing else has questions first
        questions, conversation = client.questions, client
        name = self.parking.park(conversation, caller.principal.holder)
        if name is None:
            return refused(request, Refused("ask.too-many", caller.call))
        token = self._seal(request, caller, node=self.node, parked=name)
        return finished(request, input_result(questions, token))

    def _answered(self, request: Request, answer: Release | Refused, caller: Caller) -> Answer:
        if isinstance(answer, Refused):
            return refused(request, answer)
        reply, asked = answer.said, input_of(answer)
        if isinstance(reply, Reply) and not reply.is_error and is_task(reply.raw):
            handle = self._tasks.handle(reply, caller)
            return finished(request, with_id(outer(reply, caller.endpoint), handle))
        # Without a state of the upstream's there is nothing to keep: answers come by themselves.
        if asked is None or asked.state is None or not isinstance(reply, Reply):
            return released(request, answer, caller.endpoint)
        token = self._seal(request, caller, upstream=asked.state)
        raw = edit.put(outer(reply, caller.endpoint), "/requestState", orjson.dumps(token))
        return finished(request, raw)

    def _seal(self, request: Request, caller: Caller, **what: Any) -> str:
        """``what``: the rest of a ``RoundState``."""
        who, path, expires = caller.principal.holder, caller.endpoint.path, now_ms() + LIFE_MS
        return self._rounds.seal(RoundState(who, path, _about(request), expires, **what))

    def _seal_turn(self, turn: Turn, one: Inquiry, number: int) -> str:
        return self._seal(turn.request, turn.caller, asked=one.id, turn=number)


def _about(request: Request) -> str:
    """Of the call as the client makes it: equal in every round. Trace ids may differ."""
    named = orjson.dumps([request.method, request.name])
    return hashlib.sha256(named + canonical(edit.drop(request.params, "/_meta"))).hexdigest()
