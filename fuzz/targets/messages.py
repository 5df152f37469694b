"""``wire.jsonrpc`` and ``wire.request``: from bytes to a request, in both eras."""

import orjson

from fuzz.parts import LIMITS, cut, headers_in, is_json, text
from lockgate.model import REASONS, Session
from lockgate.wire import edit, headers, jsonrpc, meta, methods, request
from lockgate.wire.headers import Headers
from lockgate.wire.jsonrpc import Message
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.request import Request

SESSIONS = {
    version: Session("s", "person:ann", "/mcp", version, "fuzz/1", b'{"roots":{}}', 0)
    for version in ("2025-06-18", "2025-11-25")
}


def json_rpc(data: bytes) -> None:
    """A message read and written again is the same message; its payload is a piece of the text."""
    try:
        message = jsonrpc.parse(data, LIMITS)
    except WireRefusal as refusal:
        assert refusal.reason in REASONS
        assert is_json(jsonrpc.render_id(refusal.id))
        return
    for payload in (message.params, message.result, message.error):
        assert payload is None or payload == b"{}" or payload in data
        assert payload is None or edit.is_object(payload)
    assert jsonrpc.parse(_written(message), LIMITS) == message
    if message.id is not None:
        assert jsonrpc.exact_id(jsonrpc.render_id(message.id)) == message.id


def _written(message: Message) -> bytes:
    if message.result is not None and message.id is not None:
        return jsonrpc.encode_result(message.id, message.result)
    if message.error is not None:
        return jsonrpc.encode_error_raw(message.id, message.error)
    if message.id is not None:
        return jsonrpc.encode_request(message.id, message.method, message.params)
    return jsonrpc.encode_notification(message.method, message.params)


def client_request(data: bytes) -> None:
    """Parts: how it came (``http``, ``stdio`` or ``bare``, then the session's version if any);
    header lines; the body."""
    how, said, body = cut(data, 3)
    try:
        message = jsonrpc.parse(body, LIMITS)
    except WireRefusal:
        return
    sent = Headers(headers_in(said))
    if b"stdio" in how:
        sent = sent.optional()
    session = next((s for v, s in SESSIONS.items() if v.encode() in how), None)
    try:
        found = request.read(message, None if b"bare" in how else sent, session)
    except WireRefusal as refusal:
        assert refusal.reason in REASONS
        assert refusal.id == (message.id if message.kind == "request" else refusal.id)
        return
    _check_request(found, message, session)
    if found.era == "modern" and b"bare" not in how and found.kind == "request":
        _check_mirrored(found, sent)


def _check_request(found: Request, message: Message, session: Session | None) -> None:
    assert (found.id, found.method, found.kind) == (message.id, message.method, message.kind)
    assert is_json(found.params)
    assert edit.is_object(found.params)
    fields = edit.members(found.params)
    kept = edit.members(fields.get("_meta", b"{}"))
    assert not any(key.startswith(meta.OWNED) or key == meta.PROGRESS for key in kept)
    own = found.rule.carries if found.rule is not None else frozenset()
    assert not (set(methods.NOT_CARRIED) - own) & fields.keys()
    assert edit.is_object(fields.get("arguments", b"{}"))
    assert edit.is_object(found.capabilities)
    assert found.client.isprintable()
    if found.era == "legacy" and found.kind == "request":
        assert session is not None or found.method in ("initialize", "ping")
    if found.kind == "request":
        assert found.rule is not None
        assert found.era in found.rule.eras
    if found.name:
        assert found.rule is not None
        assert orjson.dumps(found.name)
        assert found.name in _places(found)


def _places(found: Request) -> list[str | None]:
    """What the params that go on say at the places that may name a target."""
    rule, fields = found.rule, edit.members(found.params)
    return [methods.text_at(fields, target.path) for target in rule.targets] if rule else []


def _check_mirrored(found: Request, sent: Headers) -> None:
    """Who routes by headers and who reads the body see the same."""
    for name, value in ((headers.METHOD, found.method), (headers.PROTOCOL_VERSION, found.version)):
        said = sent.all(name)
        assert said == [value] or (said == [] and not sent.required), name
    if found.rule is not None and found.rule.mirrored:
        said = sent.all(headers.NAME)
        agreed = len(said) == 1 and headers.decode_value(said[0]) == found.name
        assert agreed or (said == [] and not sent.required)


def cancelled(data: bytes) -> None:
    """Which request a cancellation is about, from any params."""
    try:
        message = jsonrpc.parse(data, LIMITS)
    except WireRefusal:
        return
    found = request.cancelled_id(message.params)
    token = edit.get(message.params, "/requestId")
    if found is not None:
        assert token is not None
        assert jsonrpc.exact_id(token) == found


def label(data: bytes) -> None:
    """What a client or a server says it is called, and ``_meta`` around it."""
    try:
        message = jsonrpc.parse(data, LIMITS)
        fields = edit.members(message.params)
        declared = meta.read(fields)
    except WireRefusal:
        return
    said = meta.label(declared.get(meta.CLIENT))
    assert said.isprintable()
    assert len(text(said.encode())) <= 2 * 60 + 1
    stripped = edit.merge(message.params, meta.strip(fields, meta.PROGRESS))
    assert is_json(stripped)
    left = edit.members(edit.members(stripped).get("_meta", b"{}"))
    assert set(left) == {k for k in declared if not k.startswith(meta.OWNED)} - {meta.PROGRESS}
    assert all(left[key] == declared[key] for key in left)
    added = edit.merge(message.params, meta.add(fields, {meta.SERVER: b"{}", "x/y": None}))
    assert is_json(added)
    after = meta.read(edit.members(added))
    assert after.pop(meta.SERVER) == b"{}"
    assert after == {k: v for k, v in declared.items() if k not in (meta.SERVER, "x/y")}
    try:
        token = meta.progress_token(declared)
    except WireRefusal:
        return
    assert token is None or orjson.loads(jsonrpc.render_id(token)) is not None
