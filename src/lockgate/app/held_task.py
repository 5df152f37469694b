"""A task that waits for a person (SEP-2663). The question is all its state, so any worker can say
how it stands, also after a restart."""

import orjson

from lockgate.app.answers import SERVER_INFO, Answer, finished, outer
from lockgate.app.turn import Turn
from lockgate.approval.questions import reason_of
from lockgate.model import REASONS, Call, Json, Release, Reply
from lockgate.model.inquiry import DONE, Inquiry, Kept
from lockgate.pipeline.run import Refused, let_out
from lockgate.pipeline.sessions import TaskRef
from lockgate.wire import bridge, edit, held
from lockgate.wire.held import Status, handle_of, task_of
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.rewrite import rewrite_error
from lockgate.wire.tasks import CANCEL, GET, is_task

_End = tuple[Status, dict[str, bytes | None]]
"""Status, and the raw members that belong to it."""
_EMPTY = b'{"resultType":"complete"}'


async def held_task(turn: Turn, ref: TaskRef) -> Answer | TaskRef:
    """``tasks/get``, ``tasks/update`` or ``tasks/cancel`` about a task of Lockgate's own. Where the
    call ran and its upstream made a task of it, that one: it is the same to the client.

    Raises ``WireRefusal`` ``task.unknown``, and as ``run`` does.
    """
    desk, request = turn.questions, turn.request
    one = await desk.inquiry(ref.id)
    who = turn.caller.principal
    if one is None or (one.holder, one.agent) != (who.id, who.agent):
        raise WireRefusal("task.unknown")
    ran = await desk.ran(one.id) if one.state in DONE else None
    if ran is not None and is_task(ran[1].raw):
        return _theirs(ref, *ran)
    if request.method == CANCEL:
        await desk.withdraw(one.id)
    if request.method != GET:  # nothing is asked of the client, so it has nothing to tell
        return finished(request, _EMPTY)
    status, more = await _ended(turn, one, ran)
    said = task_of(one, handle_of(one, turn.console), status)
    raw = held.encode({"taskId": request.name, **said})
    return finished(request, edit.merge(raw, more))


def _theirs(ref: TaskRef, call: Call, kept: Kept) -> TaskRef:
    tool = call.tool.name if call.tool else call.target
    id = str(orjson.loads(kept.raw)["taskId"])
    place = call.upstream.fingerprint
    return TaskRef(ref.principal, ref.endpoint, call.upstream.name, place, tool, id)


async def _ended(turn: Turn, one: Inquiry, ran: tuple[Call, Kept] | None) -> _End:
    if handle_of(one).waits:
        return "working", {}
    if one.state == "cancelled":
        return "cancelled", {}
    if ran is None:
        return "failed", {"error": _error(Refused(reason_of(one), one.call))}
    call = Call(turn.caller.call, turn.caller.principal, ran[0].method, ran[0].upstream,
                ran[0].target, ran[0].params, ran[0].tool, ran[0].envelope)  # fmt: skip
    answer = await let_out(call, ran[1], turn.gate)
    if isinstance(answer, Refused):
        return "failed", {"error": _error(answer)}
    return _result(turn, answer)


def _result(turn: Turn, answer: Release) -> _End:
    reply, prefixed = answer.said, turn.caller.endpoint.prefixed
    if not isinstance(reply, Reply):
        raise WireRefusal("pipeline.failed")
    if reply.is_error:
        raw = rewrite_error(reply.raw, reply.call.upstream.name) if prefixed else reply.raw
        return "failed", {"error": bridge.finish_error("modern", "tools/call", raw)}
    raw = bridge.finish_result(
        "modern", "tools/call", outer(reply, turn.caller.endpoint), SERVER_INFO
    )
    return "completed", {"result": raw}


def _error(why: Refused) -> bytes:
    found = REASONS[why.reason]
    data: Json = {"reason": found.code, "remedy": found.remedy, "call": why.call}
    return held.encode({"code": found.rpc, "message": found.says, "data": data})
