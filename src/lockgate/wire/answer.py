"""A refusal as the client gets it: catalogued, with what would make it pass and the call's id."""

import orjson

from lockgate.model import REASONS, Json, Reason
from lockgate.model.call import EraName
from lockgate.model.reason import INTERNAL, METHOD_NOT_FOUND, REFUSED
from lockgate.wire.jsonrpc import Id, encode_error, encode_result

_TRANSPORT = frozenset({"wire", "auth", "session"})
"""Areas whose refusals are about the message, not about what it asks: HTTP says so too."""
_WITH_STATUS = _TRANSPORT | {"round", "task"}
"""And those about state that the client carries (MCP 2026-07-28: 400)."""


def refusal(
    reason: str,
    *,
    id: Id | None,
    method: str,
    call_id: str,
    detail: str = "",
    data: dict[str, Json] | None = None,
    era: EraName,
) -> tuple[int, bytes]:
    """HTTP status and body. ``detail`` must be safe for the model: it is shown to it.

    A judged ``tools/call`` is answered with a tool result, ``isError`` true, so that the model can
    read why; everything else with a JSON-RPC error. ``data`` joins the error's ``data``;
    ``retry_after_ms`` in it is told to tools too.

    Raises ``KeyError`` for a reason that is not catalogued.
    """
    found = REASONS[reason]
    extra = data or {}
    if method == "tools/call" and id is not None and _is_judgement(found):
        return 200, encode_result(id, _tool_result(found, call_id, detail, extra, era))
    told: dict[str, Json] = {"reason": reason, "remedy": found.remedy, "call": call_id}
    if detail:
        told["detail"] = detail
    return _status(found, era), encode_error(id, found.rpc, found.says, told | extra)


def _is_judgement(reason: Reason) -> bool:
    return _area(reason) not in _TRANSPORT and reason.rpc in (REFUSED, INTERNAL)


def _status(reason: Reason, era: EraName) -> int:
    if _area(reason) not in _WITH_STATUS:
        return 200
    if era == "legacy" and reason.rpc == METHOD_NOT_FOUND:
        return 200
    return reason.http


def _tool_result(
    reason: Reason, call_id: str, detail: str, extra: dict[str, Json], era: EraName
) -> bytes:
    said = [reason.says, detail and f"{detail.rstrip('.')}.", reason.remedy]
    text = " ".join(filter(None, said)) + f" [{reason.code} · {call_id}]"
    meta: dict[str, Json] = {"lockgate/reason": reason.code, "lockgate/call": call_id}
    if "retry_after_ms" in extra:
        meta["lockgate/retry_after_ms"] = extra["retry_after_ms"]
    result: dict[str, Json] = {
        "content": [{"type": "text", "text": text}],
        "isError": True,
        "_meta": meta,
    }
    if era == "modern":
        result["resultType"] = "complete"
    return orjson.dumps(result)


def _area(reason: Reason) -> str:
    return reason.code.partition(".")[0]
