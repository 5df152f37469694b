"""Messages in, answers out: what happens to one message, apart from its socket."""

import logging
from collections.abc import Callable
from typing import Literal

import msgspec
import orjson

from lockgate import __version__
from lockgate.app.inflight import InFlight, Ticket
from lockgate.app.stamps import stamp
from lockgate.model import JournalDown, Json, Notice, Release, Reply, Session, StoreDown
from lockgate.model.call import EraName
from lockgate.pipeline import record
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.pipeline.merge import listed
from lockgate.pipeline.ports import Deliver
from lockgate.pipeline.resolve import Resolver, outer_result
from lockgate.pipeline.run import Gate, Refused, run
from lockgate.pipeline.sessions import Cursors, Sessions
from lockgate.wire import bridge, edit, jsonrpc
from lockgate.wire.answer import refusal
from lockgate.wire.era_2025_11 import initialize_result
from lockgate.wire.era_2026_07 import discover_result
from lockgate.wire.era_2026_07_headers import check_param_headers
from lockgate.wire.headers import SESSION, Headers
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.request import Request, cancelled_id, read
from lockgate.wire.rewrite import rewrite_error
from lockgate.wire.strict_json import Limits
from lockgate.wire.versions import negotiate

log = logging.getLogger("lockgate.gateway")

Put = Callable[[bytes], None]
"""Takes one encoded notification for the client."""

SERVER_INFO = orjson.dumps({"name": "lockgate", "title": "Lockgate", "version": __version__})
CAPABILITIES = b'{"tools":{},"resources":{},"prompts":{},"completions":{}}'
"""Only what is forwarded."""
INSTRUCTIONS = (
    "These servers are reached through Lockgate. A refusal names its reason and a call id: "
    "tell the user both, and do not retry unless the refusal says so."
)


class Answer(msgspec.Struct, frozen=True):
    """What goes back: an HTTP status and a JSON body, empty where there is nothing to say."""

    status: int
    body: bytes = b""
    session: str = ""
    """``Mcp-Session-Id`` to hand out."""


class State(msgspec.Struct, frozen=True):
    """What a reload replaces, whole. A running call keeps the one it began with."""

    gate: Gate
    resolver: Resolver
    endpoints: dict[str, Endpoint]
    limits: Limits


class Incoming(msgspec.Struct, frozen=True):
    """One POSTed message before it is read. ``headers`` are optional ones where the transport has
    none of MCP's own (stdio)."""

    raw: bytes
    headers: Headers
    caller: Caller


class Gateway:
    """Speaks MCP to clients. Everything it lets through has passed ``pipeline.run``."""

    def __init__(
        self,
        state: State,
        sessions: Sessions,
        cursors: Cursors,
        count: Callable[[str, str], None],
    ) -> None:
        self.state = state
        self.inflight = InFlight()
        self._sessions = sessions
        self._cursors = cursors
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
            return await self._dispatch(request, session, incoming, state, put)
        except WireRefusal as refused:
            self.note(caller, request.method if request else "", refused.reason, incoming.raw)
            if message is not None and message.kind == "request":
                refused.id = message.id
            return _turned_away(refused, request, caller, in_session=session is not None)
        except JournalDown:  # the journal says so itself, once
            return _answered(request, Refused("journal.unavailable", caller.call))
        except StoreDown as down:
            log.error("call %s failed: %s", caller.call, down)
            return _answered(request, Refused("pipeline.failed", caller.call))

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
            return _turned_away(refused, None, caller)
        except StoreDown:
            self.note(caller, "DELETE", "session.unknown", b"")
            return _answered(None, Refused("session.unknown", caller.call))
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
            case _:
                return await self._call(request, incoming, state, put)

    def _listen(self, request: Request, session: Session | None, caller: Caller) -> None:
        if request.method != "notifications/cancelled" or session is None:
            return
        wanted = cancelled_id(request.params)
        if wanted is not None:
            self.inflight.cancel(Ticket(caller.principal.holder, session.id, wanted))

    def _greet(self, request: Request, caller: Caller) -> Answer:
        if request.method == "ping":
            return _result(request, b"{}")
        if request.method == "server/discover":
            return _result(request, discover_result(CAPABILITIES, SERVER_INFO, INSTRUCTIONS))
        version, now = negotiate(request.version), stamp()
        session = Session(
            now.id, caller.principal.holder, caller.endpoint.path, version,
            request.client, request.capabilities, now.at,
        )  # fmt: skip
        token = self._sessions.open(session)
        self._record_session("session.opened", session.id, caller)
        opened = initialize_result(version, CAPABILITIES, SERVER_INFO, INSTRUCTIONS)
        return msgspec.structs.replace(_result(request, opened), session=token)

    async def _list(self, request: Request, caller: Caller, state: State) -> Answer:
        answer = await listed(request, caller, state.resolver, state.gate, self._cursors)
        if isinstance(answer, Refused):
            return _answered(request, answer)
        return _result(
            request, bridge.finish_result(request.era, request.method, answer, SERVER_INFO)
        )

    async def _call(self, request: Request, incoming: Incoming, state: State, put: Put) -> Answer:
        caller = incoming.caller
        call = await state.resolver.call_of(request, caller, state.gate)
        if call.tool is not None and request.era == "modern":
            check_param_headers(incoming.headers, call.tool.schema, call.arguments)
        answer = await run(call, state.gate, _progress(request, put))
        if isinstance(answer, Refused):
            return _answered(request, answer)
        return _finish(request, answer, caller.endpoint)

    def _record_session(
        self, kind: Literal["session.opened", "session.closed"], session: str, caller: Caller
    ) -> None:
        self.state.gate.journal.note(record.session(stamp(), kind, session, caller))


def _placed(incoming: Incoming, state: State) -> Incoming:
    """With the endpoint as it is now: a reload may have come while the body did."""
    caller = incoming.caller
    endpoint = state.endpoints.get(caller.endpoint.path)
    if endpoint is None:
        raise WireRefusal("wire.bad-path")
    return msgspec.structs.replace(
        incoming, caller=msgspec.structs.replace(caller, endpoint=endpoint)
    )


def _progress(request: Request, put: Put) -> Deliver:
    """Progress goes to the client under its own token (MCP 2025-11-25, Progress)."""
    token = request.progress_token

    def deliver(release: Release) -> None:
        if token is None or not isinstance(release.said, Notice):
            return
        params = edit.put(release.said.raw, "/progressToken", jsonrpc.render_id(token))
        put(jsonrpc.encode_notification(release.said.method, params))

    return deliver


def _finish(request: Request, release: Release, endpoint: Endpoint) -> Answer:
    """Step 13. Only a ``Release`` is answered."""
    reply = release.said
    if not isinstance(reply, Reply) or request.id is None:
        raise WireRefusal("pipeline.failed")
    if reply.is_error:
        upstream = reply.call.upstream.name
        raw = rewrite_error(reply.raw, upstream) if endpoint.prefixed else reply.raw
        error = bridge.finish_error(request.era, request.method, raw)
        return Answer(200, jsonrpc.encode_error_raw(request.id, error))
    raw = outer_result(reply.call, reply.raw) if endpoint.prefixed else reply.raw
    return _result(request, bridge.finish_result(request.era, request.method, raw, SERVER_INFO))


def _result(request: Request, raw: bytes) -> Answer:
    if request.id is None:
        return Answer(202)
    return Answer(200, jsonrpc.encode_result(request.id, raw))


def _answered(request: Request | None, refused: Refused) -> Answer:
    """What the model may know: the reason, and when to come back. Never ``because``."""
    told: dict[str, Json] = (
        {"retry_after_ms": refused.retry_after_ms} if refused.retry_after_ms else {}
    )
    status, body = refusal(
        refused.reason,
        id=request.id if request else None,
        method=request.method if request else "",
        call_id=refused.call,
        detail=refused.where,
        data=told,
        era=request.era if request else "modern",
    )
    return Answer(status, body)


def _turned_away(
    refused: WireRefusal, request: Request | None, caller: Caller, *, in_session: bool = False
) -> Answer:
    era: EraName = request.era if request else "legacy" if in_session else "modern"
    status, body = refusal(
        refused.reason,
        id=refused.id,
        method=request.method if request else "",
        call_id=caller.call,
        detail=refused.detail,
        data=refused.data,
        era=era,
    )
    # Where no request is answered, the status alone says that it was not accepted.
    return Answer(400 if status == 200 and refused.id is None else status, body)
