"""What an upstream says about a task (SEP-2663) has the shape that its status requires."""

from collections.abc import Callable, Mapping
from typing import Any

from lockgate.model import Reply
from lockgate.wire.capabilities import takes_tasks
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.tasks import INPUT_REQUIRED, LONGEST_ID, STATUSES, questions

_ASKS = "inputRequests"
_PAYLOADS = {"completed": "result", "failed": "error", INPUT_REQUIRED: _ASKS}
"""Member that a task of this status must have."""


def handle_fault(reply: Reply) -> str:
    """Empty for a handle that may stand in for a tool's result: the call has to declare that it
    takes one. What it asks is never in there."""
    call, said = reply.call, reply.decoded
    modern = call.envelope.era == "modern" and call.method == "tools/call"
    if not modern or not takes_tasks(call.envelope.asks):
        return "reply.unknown-type"
    return "" if _is_task(said) and _is_sound(said) and _ASKS not in said else "reply.shape"


def status_fault(reply: Reply) -> str:
    """Empty for the answer to ``tasks/get``: about the task that was asked for, with what its
    status requires."""
    said = reply.decoded
    if not _is_task(said) or said["taskId"] != reply.call.target or not _is_sound(said):
        return "reply.shape"
    if _PAYLOADS.get(said["status"], "status") not in said:
        return "reply.shape"
    try:
        questions(reply.raw)
    except WireRefusal as refused:
        return refused.reason
    return ""


def _is_task(said: Mapping[str, Any]) -> bool:
    id, status = said.get("taskId"), said.get("status")
    named = isinstance(id, str) and 0 < len(id) <= LONGEST_ID
    return named and isinstance(status, str) and status in STATUSES


def _is_sound(said: Mapping[str, Any]) -> bool:
    return all(sound(said[name]) for name, sound in _MEMBERS.items() if name in said)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_span(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _is_result(value: Any) -> bool:
    """Of the tool call that became a task: whole, and no handle again."""
    whole = isinstance(value, dict) and value.get("resultType") in (None, "complete")
    return whole and isinstance(value.get("content"), list)


def _is_error(value: Any) -> bool:
    code = value.get("code") if isinstance(value, dict) else None
    sound = isinstance(code, int) and not isinstance(code, bool)
    return sound and isinstance(value.get("message"), str)


_MEMBERS: Mapping[str, Callable[[Any], bool]] = {
    "statusMessage": _is_text,
    "createdAt": _is_text,
    "lastUpdatedAt": _is_text,
    "ttlMs": _is_span,
    "pollIntervalMs": _is_span,
    "result": _is_result,
    "error": _is_error,
}
