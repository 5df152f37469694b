"""What comes back must have the shape its method promises. Unknown kinds are not let through."""

from collections.abc import Mapping
from typing import Any

from lockgate.inspection.tasks import handle_fault, status_fault
from lockgate.model import Effect, FactKey, Facts, Reply, Verdict
from lockgate.wire.capabilities import ELICITATION, ROOTS, SAMPLING
from lockgate.wire.methods import ASKS, METHODS
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.rounds import INPUT_REQUIRED, ROUNDS, read_input
from lockgate.wire.tasks import GET, TASK

_KNOWN_RESULT_TYPES = frozenset({"complete", None})


_CLEAN = Verdict("inspection.reply-shape", Effect.PERMIT, "inspection.clean")


class ReplyShape:
    """A reply is a JSON-RPC error, or the complete result of the method that was called."""

    id = "inspection.reply-shape"
    needs: frozenset[FactKey[Any]] = frozenset()

    def check(self, reply: Reply, facts: Facts) -> Verdict:  # noqa: ARG002
        reason = error_fault(reply.decoded) if reply.is_error else result_fault(reply)
        return Verdict(self.id, Effect.DENY, reason) if reason else _CLEAN


def error_fault(decoded: Any) -> str:
    """Empty where ``decoded`` is a JSON-RPC error object (JSON-RPC 2.0, section 5.1)."""
    if not isinstance(decoded, Mapping):
        return "reply.shape"
    code, message = decoded.get("code"), decoded.get("message")
    sound = isinstance(code, int) and not isinstance(code, bool) and isinstance(message, str)
    return "" if sound else "reply.shape"


def result_fault(reply: Reply) -> str:
    """Empty where the result is complete and holds what its method requires."""
    result = reply.decoded
    if not isinstance(result, Mapping):
        return "reply.shape"
    kind = result.get("resultType")
    if kind == INPUT_REQUIRED:
        return _input_fault(reply)
    if kind == TASK:
        return handle_fault(reply)
    if not (kind is None or isinstance(kind, str)) or kind not in _KNOWN_RESULT_TYPES:
        return "reply.unknown-type"
    method = reply.call.method
    if method in ASKS:
        return "" if _ANSWERS[method](result) else "reply.shape"
    if method == GET:
        return status_fault(reply)
    member = METHODS[method].array or _CONTENT.get(method, "")
    if member and not isinstance(result.get(member), list):
        return "reply.shape"
    return ""


def _input_fault(reply: Reply) -> str:
    """Multi round-trip requests (MCP 2026-07-28): only some methods may ask for more."""
    if reply.call.method not in ROUNDS:
        return "upstream.needs-input"
    try:
        read_input(reply.raw)
    except WireRefusal as refused:
        return refused.reason
    return ""


def _is_elicited(said: Mapping[str, Any]) -> bool:
    """MCP 2025-11-25, Elicitation: a form's values are scalars, or lists of strings."""
    if said.get("action") not in ("accept", "decline", "cancel"):
        return False
    return isinstance(said.get("content", {}), dict)


def _is_sampled(said: Mapping[str, Any]) -> bool:
    return isinstance(said.get("role"), str) and isinstance(said.get("content"), dict | list)


def _is_roots(said: Mapping[str, Any]) -> bool:
    return isinstance(said.get("roots"), list)


_ANSWERS = {ELICITATION: _is_elicited, SAMPLING: _is_sampled, ROOTS: _is_roots}
_CONTENT = {"tools/call": "content", "resources/read": "contents", "prompts/get": "messages"}
