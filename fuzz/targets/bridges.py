"""From one era to the other: results, errors, params, and our own refusals."""

import orjson

from fuzz.parts import LIMITS, cut, is_json, json_in, object_in, text
from fuzz.targets.document import shape
from lockgate.model import REASONS, Envelope, SendFailed
from lockgate.model.call import EraName
from lockgate.upstream import opening
from lockgate.wire import answer, bridge, edit, era_2025_11, era_2026_07, jsonrpc, meta, methods
from lockgate.wire.refusal import WireRefusal

ERAS: tuple[EraName, EraName] = ("legacy", "modern")
_SAID = (
    Envelope("legacy", "2025-11-25", asks=b'{"elicitation":{"form":{}},"roots":{},"sampling":{}}'),
    Envelope(asks=b'{"elicitation":{"form":{},"url":{}}}', log_level="warning"),
)
_INFO = b'{"name":"lockgate","version":"1"}'


def crossing(data: bytes) -> None:
    """Parts: method; a result, an error or params."""
    said, raw = cut(data, 2)
    method = text(said)
    found = object_in(raw)
    if found is None or not edit.is_object(raw):
        return
    for era in ERAS:
        _check_result(era, method, raw)
        error = bridge.finish_error(era, method, raw)
        assert is_json(error)
        assert _without(error, "code") == _without(raw, "code")
        assert bridge.finish_error(era, method, error) == error
        _check_params(era, method, raw)
    assert era_2026_07.result_type(raw) in (found.get("resultType", "complete"), "")


def _check_result(era: EraName, method: str, raw: bytes) -> None:
    out = bridge.finish_result(era, method, raw, _INFO)
    assert is_json(out)
    assert edit.is_object(out)
    # Vendors' members survive; only the protocol's own are set or taken out.
    ours = {"resultType", "ttlMs", "cacheScope", "_meta", "structuredContent", "tools"}
    before, after = edit.members(raw), edit.members(out)
    assert {k: v for k, v in before.items() if k not in ours} == {
        k: v for k, v in after.items() if k not in ours
    }
    told = edit.members(after.get("_meta", b"{}"))
    kept = {k: v for k, v in told.items() if not k.startswith(meta.OWNED)}
    had = edit.members(before.get("_meta", b"{}"))
    assert kept == {k: v for k, v in had.items() if not k.startswith(meta.OWNED)}
    assert bridge.finish_result(era, method, out, _INFO) == out, "not settled at once"
    row = methods.METHODS.get(method)
    if era == "modern":
        assert "resultType" in after
        assert shape(told[meta.SERVER]) == shape(_INFO)
        if row is not None and row.cacheable:
            assert after["cacheScope"] == b'"private"'
            assert int(after["ttlMs"]) >= 0
    else:
        assert not {"resultType", "ttlMs", "cacheScope"} & after.keys()


def _check_params(era: EraName, method: str, raw: bytes) -> None:
    for progress in (None, 7, 'p"1'):
        for said in _SAID:
            out = bridge.request_params(era, raw, said, client_info=_INFO, progress=progress)
            assert is_json(out)
            if era == "legacy" and progress is None:
                assert out == raw
            assert _without(out, "_meta") == _without(raw, "_meta")
        if era == "modern":
            told = edit.members(edit.members(out)["_meta"])
            assert shape(told[meta.CLIENT]) == shape(_INFO)
            assert edit.is_object(told[meta.CAPABILITIES])
        sent = bridge.request_headers(era, "2026-07-28", method, out)
        for name, value in sent.items():
            assert name.isascii()
            # ``method`` is one of our own table, never a client's text.
            assert name == "Mcp-Method" or (value.isascii() and value.isprintable())


def _without(raw: bytes, key: str) -> dict[str, bytes]:
    return {k: v for k, v in edit.members(raw).items() if k != key}


def refusals(data: bytes) -> None:
    """Parts: a number for the reason; id; method; call id; detail."""
    number, id, method, call, detail = cut(data, 5)
    reasons = sorted(REASONS)
    reason = reasons[sum(number) % len(reasons)]
    try:
        json_in(id)
        told = jsonrpc.exact_id(id)
    except WireRefusal:
        told = None
    for era in ERAS:
        status, body = answer.refusal(
            reason, id=told, method=text(method), call_id=text(call), detail=text(detail),
            data={"retry_after_ms": 5}, era=era,
        )  # fmt: skip
        assert 200 <= status < 600
        said = orjson.loads(body)
        assert said["jsonrpc"] == "2.0"
        assert ("result" in said) != ("error" in said)
        assert jsonrpc.render_id(told) in body
        assert reason in body.decode()


def openings(data: bytes) -> None:
    """An upstream's answer to our first message, whichever it was."""
    try:
        message = jsonrpc.parse(data, LIMITS)
    except WireRefusal:
        return
    if message.kind != "response":
        return
    for reader in (opening.read_discover, opening.read_initialize):
        try:
            peer = reader(message)
        except SendFailed as failed:
            assert failed.reason in REASONS
            assert "\n" not in failed.detail
            assert len(failed.detail) < 200
            continue
        if peer is not None:
            assert edit.is_object(peer.capabilities)
            assert edit.is_object(peer.server_info)
            assert isinstance(peer.instructions, str)
    assert opening.asks_for_discover(message) in (True, False)
    for id in (message.id,):
        if id is not None:
            assert is_json(opening.refuse(id, "sampling/createMessage"))


def our_words(data: bytes) -> None:
    """Parts: instructions; capabilities; server info; version: what we answer an opening with."""
    told, capabilities, info, version = cut(data, 4)
    if object_in(capabilities) is None or object_in(info) is None:
        return
    for raw in (
        era_2026_07.discover_result(capabilities, info, text(told)),
        era_2025_11.initialize_result(text(version), capabilities, info, text(told)),
    ):
        assert is_json(raw)
    made = era_2025_11.initialize_params(info, capabilities, text(version))
    assert is_json(made)
