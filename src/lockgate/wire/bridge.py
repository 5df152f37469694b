"""From one era to the other: results, errors and requests that need no server-to-client traffic.

Elicitation, sampling, roots, subscriptions and tasks cross here too, once they are carried.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from lockgate.model import Envelope
from lockgate.model.call import EraName
from lockgate.wire import edit, era_2025_11, era_2026_07, era_2026_07_headers, meta
from lockgate.wire.capabilities import ELICITATION, towards
from lockgate.wire.jsonrpc import Id

_NOT_FOUND_LEGACY = -32002
_INVALID_PARAMS = -32602
_INTERNAL = -32603

_OURS = {-32020: _INTERNAL, -32022: _INTERNAL}
"""Header and version errors are about our own leg to the upstream; no client can mend them."""
_CODES: Mapping[EraName, Mapping[int, int]] = {
    # -32021 (missing client capability) and its like are unknown to legacy clients; -32042 (URL
    # elicitation) exists in 2025-11-25 only and is not carried yet.
    "legacy": {**_OURS, -32021: _INTERNAL, -32042: _INTERNAL},
    "modern": {**_OURS, -32042: _INTERNAL},
}


def finish_result(era: EraName, method: str, raw: bytes, server_info: bytes) -> bytes:
    """An upstream's result, of either era, as this client must get it. Unknown members survive."""
    if era == "modern":
        return era_2026_07.finish_result(method, raw, server_info)
    return era_2025_11.finish_result(method, raw)


def finish_error(era: EraName, method: str, error: bytes) -> bytes:
    """An upstream's error object, of either era, with a code this client's era gives a meaning."""
    code = orjson.loads(edit.members(error).get("code", b"null"))
    new = _CODES[era].get(code) if isinstance(code, int) else None
    if method == "resources/read":
        new = _not_found(era, code, error) or new
    return error if new is None else edit.put(error, "/code", b"%d" % new)


def request_params(
    era: EraName, params: bytes, said: Envelope, *, client_info: bytes, progress: Id | None
) -> bytes:
    """Params as this upstream wants them. It is told what the client, who ``said`` so, can do, and
    never what we could."""
    if era == "legacy":
        return era_2025_11.request_params(params, progress=progress)
    return era_2026_07.request_params(
        params,
        client_info=client_info,
        capabilities=towards(said.asks, said.era, "modern"),
        progress=progress,
        log_level=said.log_level,
    )


def request_headers(
    era: EraName, version: str, method: str, params: bytes, tool_schema: bytes | None = None
) -> dict[str, str]:
    """MCP's own HTTP headers for exactly these ``params``: after any redaction, never before."""
    if era == "legacy":
        return era_2025_11.request_headers(version)
    found = era_2026_07.request_headers(method, params, version)
    if tool_schema is not None and method == "tools/call":
        found |= era_2026_07_headers.param_headers(tool_schema, _arguments(params))
    return found


def ask_params(client: EraName, method: str, params: bytes, ask: str = "") -> bytes:
    """A server-to-client request's params as a client of that era must get them. ``ask``: an id
    for URL elicitations, which only clients of 2025-11-25 know."""
    gone: dict[str, bytes | None] = {"task": None, "elicitationId": None}
    if client == "legacy" and method == ELICITATION and edit.get(params, "/mode") == b'"url"':
        gone["elicitationId"] = orjson.dumps(ask)
    return edit.merge(params, gone | meta.strip(edit.members(params), meta.PROGRESS))


def _not_found(era: EraName, code: object, error: bytes) -> int | None:
    if era == "modern" and code == _NOT_FOUND_LEGACY:
        return _INVALID_PARAMS
    # -32602 also means other bad params; only data.uri tells that the resource is not there.
    missing = code == _INVALID_PARAMS and edit.get(error, "/data/uri") is not None
    return _NOT_FOUND_LEGACY if era == "legacy" and missing else None


def _arguments(params: bytes) -> dict[str, Any]:
    found = edit.members(params).get("arguments")
    said = orjson.loads(found) if found is not None else {}
    return said if isinstance(said, dict) else {}
