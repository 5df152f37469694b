"""What goes back to a client, as an HTTP status and a body."""

import msgspec
import orjson

from lockgate import __version__
from lockgate.model import Json, Release, Reply
from lockgate.model.call import EraName
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.pipeline.resolve import outer_result
from lockgate.pipeline.run import Refused
from lockgate.wire import bridge, edit, jsonrpc
from lockgate.wire.answer import refusal
from lockgate.wire.held import handle_of
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.request import Request
from lockgate.wire.rewrite import rewrite_error

SERVER_INFO = orjson.dumps({"name": "lockgate", "title": "Lockgate", "version": __version__})


class Answer(msgspec.Struct, frozen=True):
    """What goes back: an HTTP status and a JSON body, empty where there is nothing to say."""

    status: int
    body: bytes = b""
    session: str = ""
    """``Mcp-Session-Id`` to hand out."""


def result(request: Request, raw: bytes) -> Answer:
    if request.id is None:
        return Answer(202)
    return Answer(200, jsonrpc.encode_result(request.id, raw))


def finished(request: Request, raw: bytes) -> Answer:
    """A result as this client must get it."""
    return result(request, bridge.finish_result(request.era, request.method, raw, SERVER_INFO))


def released(request: Request, release: Release, endpoint: Endpoint) -> Answer:
    """Step 13. Only a ``Release`` is answered."""
    reply = release.said
    if not isinstance(reply, Reply) or request.id is None:
        raise WireRefusal("pipeline.failed")
    if reply.is_error:
        upstream = reply.call.upstream.name
        raw = rewrite_error(reply.raw, upstream) if endpoint.prefixed else reply.raw
        error = bridge.finish_error(request.era, request.method, raw)
        return Answer(_status(request, error), jsonrpc.encode_error_raw(request.id, error))
    return finished(request, outer(reply, endpoint))


def _status(request: Request, error: bytes) -> int:
    """The specification's own errors are HTTP errors too (MCP 2026-07-28, Streamable HTTP)."""
    code = edit.get(error, "/code") or b""
    return 400 if request.era == "modern" and code.startswith(b"-3202") else 200


def outer(reply: Reply, endpoint: Endpoint) -> bytes:
    """A result with names and URIs as this endpoint's clients know them."""
    return outer_result(reply.call, reply.raw) if endpoint.prefixed else reply.raw


def refused(request: Request | None, why: Refused, console: str = "") -> Answer:
    """What the model may know: the reason, and when to come back. Never ``because``. ``console``:
    its origin, where people answer what it waits for."""
    told: dict[str, Json] = {"retry_after_ms": why.retry_after_ms} if why.retry_after_ms else {}
    handle = handle_of(why.inquiry, console) if why.inquiry else None
    if handle is not None:
        told["approval"] = handle.said
    status, body = refusal(
        why.reason,
        id=request.id if request else None,
        method=request.method if request else "",
        call_id=why.call,
        detail=why.where if handle is None else "",
        sentence=handle.sentence if handle is not None and handle.waits else "",
        data=told,
        era=request.era if request else "modern",
    )
    return Answer(status, body)


def turned_away(
    why: WireRefusal, request: Request | None, caller: Caller, *, in_session: bool = False
) -> Answer:
    """A message that never became a call."""
    era: EraName = request.era if request else "legacy" if in_session else "modern"
    status, body = refusal(
        why.reason,
        id=why.id,
        method=request.method if request else "",
        call_id=caller.call,
        detail=why.detail,
        data=why.data,
        era=era,
    )
    # Where no request is answered, the status alone says that it was not accepted.
    return Answer(400 if status == 200 and why.id is None else status, body)
