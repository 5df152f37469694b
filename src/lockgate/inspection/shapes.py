"""What comes back must have the shape its method promises. Unknown kinds are not let through."""

from collections.abc import Mapping
from typing import Any

from lockgate.model import Effect, FactKey, Facts, Notice, Reply, Verdict
from lockgate.wire.methods import METHODS

_LONGEST_NOTICE = 4_096
_KNOWN_RESULT_TYPES = frozenset({"complete", None})
_PASSED_NOTICES = frozenset({"notifications/progress"})


class ReplyShape:
    """A reply is a JSON-RPC error, or the complete result of the method that was called."""

    id = "inspection.reply-shape"
    needs: frozenset[FactKey[Any]] = frozenset()

    def check(self, reply: Reply, facts: Facts) -> Verdict:  # noqa: ARG002
        reason = error_fault(reply.decoded) if reply.is_error else result_fault(reply)
        effect = Effect.DENY if reason else Effect.PERMIT
        return Verdict(self.id, effect, reason or "inspection.clean")


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
    if kind == "input_required":
        return "upstream.needs-input"
    if not (kind is None or isinstance(kind, str)) or kind not in _KNOWN_RESULT_TYPES:
        return "reply.unknown-type"
    method = reply.call.method
    member = METHODS[method].array or _CONTENT.get(method, "")
    if member and not isinstance(result.get(member), list):
        return "reply.shape"
    return ""


_CONTENT = {"tools/call": "content", "resources/read": "contents", "prompts/get": "messages"}


class NoticeShape:
    """Progress of a running call: numbers and a short text. Other notifications stay behind."""

    id = "inspection.notice-shape"
    needs: frozenset[FactKey[Any]] = frozenset()

    def check(self, notice: Notice, facts: Facts) -> Verdict:  # noqa: ARG002
        sound = notice.method in _PASSED_NOTICES and _is_progress(notice.decoded)
        if not sound or len(notice.raw) > _LONGEST_NOTICE:
            return Verdict(self.id, Effect.DENY, "reply.shape")
        return Verdict(self.id, Effect.PERMIT, "inspection.clean")


def _is_progress(said: Any) -> bool:
    if not isinstance(said, Mapping):
        return False
    numbers = [said.get("progress"), said.get("total", 0)]
    numeric = all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
    return numeric and isinstance(said.get("message", ""), str)
