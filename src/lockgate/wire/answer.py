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
_TOLD = ("retry_after_ms", "approval")
"""Members of ``data`` that tools are told too, in ``_meta``."""


def refusal(
    reason: str,
    *,
    id: Id | None,
    method: str,
    call_id: str,
    detail: str = "",
    sentence: str = "",
    data: dict[str, Json] | None = None,
    era: EraName,
) -> tuple[int, bytes]:
    """HTTP status and body. ``detail`` must be safe for the model: it is shown to it. So is
    ``sentence``, in place of all that the catalogue says.

    A judged ``tools/call`` is answered with a tool result, ``isError`` true, so that the model can
    read why; everything else with a JSON-RPC error. ``data`` joins the error's ``data``;
    ``retry_after_ms`` and ``approval`` in it are told to tools too.

    Raises ``KeyError`` for a reason that is not catalogued.
    """
    found = REASONS[reason]
    extra = data or {}
    if method == "tools/call" and id is not None and _is_judgement(found):
        text = sentence or _text(found, detail)
        return 200, encode_result(id, _tool_result(found, call_id, text, extra, era))
    told: dict[str, Json] = {"reason": reason, "remedy": found.remedy, "call": call_id}
    if sentence or detail:
        told["detail"] = sentence or detail
    return _status(found, era), encode_error(id, found.rpc, found.says, told | extra)


def _is_judgement(reason: Reason) -> bool:
    return _area(reason) not in _TRANSPORT and reason.rpc in (REFUSED, INTERNAL)


def _status(reason: Reason, era: EraName) -> int:
    if _area(reason) not in _WITH_STATUS:
        return 200
    if era == "legacy" and reason.rpc == METHOD_NOT_FOUND:
        return 200
    return reason.http


def _text(reason: Reason, detail: str) -> str:
    said = [reason.says, detail and f"{detail.rstrip('.')}.", reason.remedy]
    return " ".join(filter(None, said))


def _tool_result(
    reason: Reason, call_id: str, text: str, extra: dict[str, Json], era: EraName
) -> bytes:
    meta: dict[str, Json] = {"lockgate/reason": reason.code, "lockgate/call": call_id}
    meta |= {f"lockgate/{name}": extra[name] for name in _TOLD if name in extra}
    result: dict[str, Json] = {
        "content": [{"type": "text", "text": f"{text} [{reason.code} · {call_id}]"}],
        "isError": True,
        "_meta": meta,
    }
    if era == "modern":
        result["resultType"] = "complete"
    return orjson.dumps(result)


def _area(reason: Reason) -> str:
    return reason.code.partition(".")[0]
