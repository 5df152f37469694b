"""A question to the client must be one it declared to take, of the shape its method requires."""

from collections.abc import Mapping
from typing import Any

from lockgate.model import Call, Effect, FactKey, Facts, Verdict
from lockgate.wire.capabilities import ELICITATION, ROOTS, SAMPLING, asks_of, declares
from lockgate.wire.methods import ASKS

_LONGEST = 64 * 1024
_SAFE_URLS = ("https://", "http://localhost:", "http://127.0.0.1:", "http://[::1]:")
"""Where a person may be sent (MCP 2025-11-25, Elicitation, URL mode)."""
_PRIMITIVE = frozenset({"string", "number", "integer", "boolean", "array"})
"""Types of the fields of a form (MCP 2025-11-25, Elicitation: arrays only of enum values)."""


class AskShape:
    """Judges calls in the other direction; others are none of its business."""

    id = "inspection.ask-shape"
    needs: frozenset[FactKey[Any]] = frozenset()

    def check(self, call: Call, facts: Facts) -> Verdict:  # noqa: ARG002
        if call.method not in ASKS:
            return Verdict(self.id, Effect.PERMIT, "ask.not-needed")
        reason = ask_fault(call)
        effect = Effect.DENY if reason else Effect.PERMIT
        return Verdict(self.id, effect, reason or "ask.declared")


def ask_fault(call: Call) -> str:
    """Empty where the client of ``call`` takes this question from an upstream of that era."""
    params = call.decoded
    if not declares(call.envelope.asks, call.method, params):
        willing = declares(asks_of(call.envelope.capabilities), call.method, params)
        return "ask.other-era" if willing else "ask.not-declared"
    sound = len(call.params) <= _LONGEST and _SHAPES[call.method](params)
    return "" if sound else "ask.shape"


def _is_elicitation(params: Mapping[str, Any]) -> bool:
    if not isinstance(params.get("message"), str):
        return False
    if params.get("mode", "form") == "url":
        url = params.get("url")
        return isinstance(url, str) and url.startswith(_SAFE_URLS)
    schema = params.get("requestedSchema")
    fields = schema.get("properties") if isinstance(schema, dict) else None
    return isinstance(fields, dict) and all(map(_is_field, fields.values()))


def _is_field(field: Any) -> bool:
    kind = field.get("type", "string") if isinstance(field, dict) else None
    return isinstance(kind, str) and kind in _PRIMITIVE


def _is_sampling(params: Mapping[str, Any]) -> bool:
    said = params.get("messages")
    return isinstance(said, list) and all(isinstance(one, dict) for one in said)


def _is_roots(params: Mapping[str, Any]) -> bool:  # noqa: ARG001 - it asks with nothing
    return True


_SHAPES = {ELICITATION: _is_elicitation, SAMPLING: _is_sampling, ROOTS: _is_roots}
