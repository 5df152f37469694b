"""Messages in, answers out: what happens to one message, apart from its socket."""

import logging
from collections.abc import Callable
from typing import Literal

import msgspec
import orjson

from lockgate.app import answers
from lockgate.app.answers import SERVER_INFO, Answer
from lockgate.app.asking import Put, node_of
from lockgate.app.dialogue import Dialogue
from lockgate.app.elsewhere import Alone, Elsewhere
from lockgate.app.hub import Hub
from lockgate.app.incoming import Incoming
from lockgate.app.inflight import InFlight, Ticket
from lockgate.app.replay import Replay
from lockgate.app.stamps import now_ms, stamp
from lockgate.app.tasks import TaskDesk
from lockgate.model import JournalDown, Session, StoreDown
from lockgate.pipeline import record
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.pipeline.merge import listed
from lockgate.pipeline.ports import Sealer
from lockgate.pipeline.resolve import Resolver
from lockgate.pipeline.results import is_asked, look_up
from lockgate.pipeline.run import Gate, Refused
from lockgate.pipeline.sessions import Cursors, Rounds, Sessions, SessionStates, Tasks
from lockgate.wire import edit, jsonrpc
from lockgate.wire.capabilities import TASKS
from lockgate.wire.era_2025_11 import initialize_result
from lockgate.wire.era_2026_07 import discover_result
from lockgate.wire.era_2026_07_headers import check_param_headers
from lockgate.wire.headers import SESSION, Headers
from lockgate.wire.jsonrpc import Message
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.request import Request, cancelled_id, read
from lockgate.wire.rounds import continue_with
from lockgate.wire.strict_json import Limits
from lockgate.wire.versions import negotiate

log = logging.getLogger("lockgate.gateway")

CAPABILITIES = (
    b'{"tools":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},'
    b'"prompts":{"listChanged":true},"completions":{},"logging":{}}'
)
"""Only what is forwarded."""
MODERN_CAPABILITIES = edit.put(CAPABILITIES, "/extensions", b'{"%b":{}}' % TASKS.encode())
"""Tasks are of the modern era only. That the gateway carries them does not mean that there is an
upstream that makes any, as with everything here."""
INSTRUCTIONS = (
    "These servers are reached through Lockgate. A refusal names its reason and a call id: "
    "tell the user both, and do not retry unless the refusal says so."
)


class State(msgspec.Struct, frozen=True):
    """What a reload replaces, whole. A running call keeps the one it began with."""

    gate: Gate
    resolver: Resolver
    endpoints: dict[str, Endpoint]
    limits: Limits


class Gateway:
    """Speaks MCP to clients. Everything it lets through has passed ``pipeline.run``."""

    def __init__(
        self,
        state: State,
        sessions: Sessions,
        cursors: Cursors,
        rounds: Rounds,
        states: SessionStates,
        sealer: Sealer,
        count: Callable[[str, str], None],
        node: str = "",
    ) -> None:
        self.state = state
        self.inflight = InFlight()
        self._sessions = sessions
        self._cursors = cursors
        self.tasks = TaskDesk(Tasks(sealer))
        self.dialogue = Dialogue(rounds, self.tasks, self.inflight, node)
        replay, asking = Replay(sealer, node, now_ms), self.dialogue.asking
        self.hub = Hub(states, replay, sessions.expires, lambda: self.state, asking.elicited)
        self.elsewhere: Elsewhere = Alone()
        """Set once, before the first message."""
        self.session_ended: Callable[[str], None] = lambda _: None
        """Told the id of each session that a client ended here. Set once, like ``elsewhere``."""
        self._count = count

    async def handle(self, incoming: Incoming, put: Put) -> Answer:
        """Answer one message. Raises nothing for whatever a client can send."""
        state, caller = self.state, incoming.caller
        message, session, request = None, None, None
        try:
            incoming = _placed(incoming, state)
            message = jsonrpc.parse(incoming.raw, state.limits)
            session = self.resume(incoming.headers, caller)
            request = read(message, incoming.headers, session)
            if session is not None:
                incoming = _in_session(incoming, session, self.hub.level_of(session))
            if message.kind == "response":
                return await self._take_answer(message, incoming, put)
            return await self._dispatch(request, session, incoming, state, put)
        except WireRefusal as refused:
            self.note(caller, request.method if request else "", refused.reason, incoming.raw)
            if message is not None and message.kind == "request":
                refused.id = message.id
            return answers.turned_away(refused, request, caller, in_session=session is not None)
        except JournalDown:  # the journal says so itself, once
            return answers.refused(request, Refused("journal.unavailable", caller.call))
        except StoreDown as down:
            log.error("call %s failed: %s", caller.call, down)
            return answers.refused(request, Refused("pipeline.failed", caller.call))

    def resume(self, headers: Headers, caller: Caller) -> Session | None:
        """The session named in the headers. Raises ``WireRefusal``, also where nobody can say
        whether it was ended."""
        token = headers.one(SESSION)
        if token is None:
            return None
        path = caller.endpoint.path
        try:
            return self._sessions.resume(token, caller.principal, path, stamp().at)
        except StoreDown as down:
            raise WireRefusal("session.unknown") from down

    async def end_session(self, headers: Headers, caller: Caller) -> Answer:
        """DELETE of a session (MCP 2025-11-25, Session Management)."""
        try:
            session = self.resume(headers, caller)
            if session is None:
                raise WireRefusal("session.missing")
            await self._sessions.end(session)
        except WireRefusal as refused:
            self.note(caller, "DELETE", refused.reason, b"")
            return answers.turned_away(refused, None, caller)
        except StoreDown:
            self.note(caller, "DELETE", "session.unknown", b"")
            return answers.refused(None, Refused("session.unknown", caller.call))
        self.hub.end(session.id)
        self.session_ended(session.id)
        self._record_session("session.closed", session.id, caller)
        return Answer(204)

    def note(self, caller: Caller, method: str, reason: str, raw: bytes) -> None:
        """Journal a request that never became a call. It is only counted, by reason and peer, where
        a flood of them would fill the journal."""
        if reason == "quota.messages" or not self.state.gate.journal.healthy:
            self._count(reason, caller.peer)
            return
        cap = self.state.gate.result_cap
        kept = orjson.dumps(raw[:cap].decode(errors="replace"))
        event = record.refusal(stamp(), caller, method, reason, kept)
        self.state.gate.journal.note(event)

    async def _dispatch(
        self,
        request: Request,
        session: Session | None,
        incoming: Incoming,
        state: State,
        put: Put,
    ) -> Answer:
        if request.kind != "request":
            self._listen(request, session, incoming.caller)
            return Answer(202)
        if request.rule is None or request.id is None:
            raise WireRefusal("wire.unknown-method")
        if session is not None:
            self.inflight.enter(Ticket(incoming.caller.principal.holder, session.id, request.id))
        match request.rule.kind:
            case "local":
                return self._greet(request, incoming.caller)
            case "list":
                return await self._list(request, incoming.caller, state)
            case "task":
                caller = incoming.caller
                return await self.tasks.serve(request, caller, state.resolver, state.gate, put)
            case "watch":
                return await self._watch(request, session, incoming.caller, put)
            case _:
                return await self._call(request, incoming, state, put)

    async def _take_answer(self, message: Message, incoming: Incoming, put: Put) -> Answer:
        """What a legacy client says to a question. Late ones change nothing any more."""
        node, caller = node_of(message.id), incoming.caller
        if node not in ("", self.dialogue.node):
            return await self.elsewhere.handle(node, incoming, put)
        self.dialogue.asking.answer(message, caller.principal.holder, caller.session)
        return Answer(202)

    def _listen(self, request: Request, session: Session | None, caller: Caller) -> None:
        if request.method != "notifications/cancelled" or session is None:
            return
        wanted = cancelled_id(request.params)
        if wanted is None:
            return
        ticket = Ticket(caller.principal.holder, session.id, wanted)
        if not self.inflight.cancel(ticket):
            self.elsewhere.cancel(ticket)

    def _greet(self, request: Request, caller: Caller) -> Answer:
        if request.method == "ping":
            return answers.result(request, b"{}")
        if request.method == "server/discover":
            found = discover_result(MODERN_CAPABILITIES, SERVER_INFO, INSTRUCTIONS)
            return answers.result(request, found)
        version, now = negotiate(request.version), stamp()
        session = Session(
            now.id, caller.principal.holder, caller.endpoint.path, version,
            request.client, request.capabilities, now.at,
        )  # fmt: skip
        token = self._sessions.open(session)
        self._record_session("session.opened", session.id, caller)
        opened = initialize_result(version, CAPABILITIES, SERVER_INFO, INSTRUCTIONS)
        return msgspec.structs.replace(answers.result(request, opened), session=token)

    async def _watch(
        self, request: Request, session: Session | None, caller: Caller, put: Put
    ) -> Answer:
        said = await self.hub.watch(request, session, caller, put)
        if isinstance(said, bytes):
            return answers.finished(request, said)
        if isinstance(said, Refused):
            return answers.refused(request, said)
        return answers.released(request, said, caller.endpoint)

    async def _list(self, request: Request, caller: Caller, state: State) -> Answer:
        shown = self.hub.changes.shown
        answer = await listed(request, caller, state.resolver, state.gate, self._cursors, shown)
        if isinstance(answer, Refused):
            return answers.refused(request, answer)
        return answers.finished(request, answer)

    async def _call(self, request: Request, incoming: Incoming, state: State, put: Put) -> Answer:
        caller = incoming.caller
        if is_asked(request, state.gate):
            answer = await look_up(request, caller, state.gate)
            if isinstance(answer, Refused):
                return answers.refused(request, answer)
            return answers.released(request, answer, caller.endpoint)
        earlier = self.dialogue.round_of(request, caller)
        if earlier is not None and earlier.parked:
            if earlier.node != self.dialogue.node:
                return await self.elsewhere.handle(earlier.node, incoming, put)
            return await self.dialogue.resume(request, earlier, caller, put)
        call = await state.resolver.call_of(request, caller, state.gate)
        if call.tool is not None and request.era == "modern":
            check_param_headers(incoming.headers, call.tool.schema, call.arguments)
        if earlier is not None or request.responses is not None:
            theirs = earlier.upstream if earlier is not None else None
            params = continue_with(call.params, request.responses, theirs)
            call = msgspec.structs.replace(call, params=params)
        return await self.dialogue.begin(request, call, caller, state.gate, put)

    def _record_session(
        self, kind: Literal["session.opened", "session.closed"], session: str, caller: Caller
    ) -> None:
        self.state.gate.journal.note(record.session(stamp(), kind, session, caller))


def _in_session(incoming: Incoming, session: Session, level: str) -> Incoming:
    caller = msgspec.structs.replace(incoming.caller, session=session.id, log_level=level)
    return msgspec.structs.replace(incoming, caller=caller)


def _placed(incoming: Incoming, state: State) -> Incoming:
    """With the endpoint as it is now: a reload may have come while the body did."""
    caller = incoming.caller
    endpoint = state.endpoints.get(caller.endpoint.path)
    if endpoint is None:
        raise WireRefusal("wire.bad-path")
    return msgspec.structs.replace(
        incoming, caller=msgspec.structs.replace(caller, endpoint=endpoint)
    )
