"""Whole messages through the whole gateway, in both eras and over both transports."""

import asyncio

import orjson

from fuzz.parts import LIMITS, cut, headers_in, object_in
from fuzz.stage import ANN, EVE, ONE, REGION, WHOLE, Stage, finish, settle
from fuzz.targets.document import shape
from lockgate.app.answers import Answer
from lockgate.model import Call
from lockgate.wire import jsonrpc
from lockgate.wire.era_2026_07_headers import param_headers
from lockgate.wire.headers import encode_value
from lockgate.wire.refusal import WireRefusal

_RENEWED = 400
"""Inputs that one stage takes: its caches and bounds are not what is looked for here."""
_OPENING = (
    b'{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",'
    b'"capabilities":{},"clientInfo":{"name":"fuzz","version":"1"}}}'
)
_ENVELOPE = (
    b'"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
    b'"io.modelcontextprotocol/clientCapabilities":{}'
)


class _Used:
    """One stage and a session on it, until it is renewed."""

    def __init__(self) -> None:
        self.inputs = 0
        self.stage = Stage()
        self.session = b""

    def renewed(self) -> "_Used":
        if self.inputs % _RENEWED == 0:
            self.stage = Stage()
            opened = finish(self.stage.post(_OPENING, [], _nobody))
            self.session = opened.session.encode()
        self.inputs += 1
        self.stage.begin()
        return self


_USED = _Used()


def _nobody(raw: bytes) -> None:
    assert orjson.loads(raw)


def whole_gateway(data: bytes) -> None:
    """Parts: how it comes (``stdio``, ``eve``, ``one``, ``session``); header lines; the body."""
    how, lines, body = cut(data, 3)
    used = _USED.renewed()
    sent = headers_in(lines)
    if b"session" in how:
        sent.append((b"mcp-session-id", used.session))
    heard: list[bytes] = []
    answer = finish(_asked(used.stage, how, sent, body, heard))
    for raw in heard:
        assert jsonrpc.parse(raw, LIMITS).kind == "notification"
    if answer is not None:
        check_answer(answer, body)
    used.stage.check_over()


async def _asked(
    stage: Stage, how: bytes, sent: list[tuple[bytes, bytes]], body: bytes, heard: list[bytes]
) -> Answer | None:
    """None for what goes on until its client leaves, as a listen does."""
    task = asyncio.ensure_future(
        stage.post(
            body,
            sent,
            heard.append,
            who=EVE if b"eve" in how else ANN,
            endpoint=ONE if b"one" in how else WHOLE,
            stdio=b"stdio" in how,
        )
    )
    await settle(task)
    if task.done():
        return task.result()
    assert stage.gateway.hub.open == 1, "it waits for something"
    task.cancel()
    await settle(task)
    assert task.done(), "it cannot be cancelled"
    await asyncio.sleep(0)
    return None


def check_answer(answer: Answer, body: bytes) -> None:
    """One JSON-RPC message about the one that came, or nothing."""
    assert 200 <= answer.status < 600
    if not answer.body:
        assert answer.status in (202, 204)
        return
    said = jsonrpc.parse(answer.body, LIMITS)
    assert said.kind == "response"
    try:
        asked = jsonrpc.parse(body, LIMITS)
    except WireRefusal as refusal:
        assert said.id == refusal.id
        assert said.error is not None
        return
    if asked.kind == "request":
        assert said.id == asked.id
    else:
        assert said.error is not None
        assert answer.status >= 400
    assert not answer.session or asked.method == "initialize"


def same_call(data: bytes) -> None:
    """Parts: ``tool``, ``prompt`` or ``resource``; its name in JSON; arguments; vendor ``_meta``.
    Said in either era, over either transport, it is the same call, or is refused alike."""
    what, name, arguments, vendor = cut(data, 4)
    meta = object_in(vendor or b"{}")
    if object_in(arguments or b"{}") is None or meta is None or not _is_text(name):
        return
    if any("/" in key and key.lower().startswith("io.model") for key in meta):
        return  # the envelope's own members, which only one of the two eras has
    used = _USED.renewed()
    tellings = _tellings(what, name, arguments or b"{}", vendor or b"{}", used.session)
    if tellings is None:
        return
    seen = []
    for headers, body, stdio in tellings:
        used.stage.begin()
        answer = finish(used.stage.post(body, headers, _nobody, stdio=stdio))
        check_answer(answer, body)
        calls = used.stage.behind.calls
        seen.append(_seen(calls[0]) if calls else _refusal(answer))
        assert len(calls) <= 1
    assert all(one == seen[0] for one in seen), seen
    used.stage.check_over()


def _is_text(raw: bytes) -> bool:
    try:
        return isinstance(orjson.loads(raw), str)
    except orjson.JSONDecodeError:
        return False


Telling = tuple[list[tuple[bytes, bytes]], bytes, bool]


def _tellings(
    what: bytes, name: bytes, arguments: bytes, vendor: bytes, session: bytes
) -> list[Telling] | None:
    """Headers, body, and whether over stdio."""
    method, named = b"tools/call", b'"name":%b,"arguments":%b' % (name, arguments)
    if what == b"prompt":
        method = b"prompts/get"
    elif what == b"resource":
        method, named = b"resources/read", b'"uri":%b' % name
    inside = vendor.strip(b" \t\r\n")[1:-1].strip(b" \t\r\n")
    plain = _body(method, b'%b,"_meta":%b' % (named, vendor))
    modern = _body(method, b'%b,"_meta":{%b%b}' % (named, _ENVELOPE, inside and b"," + inside))
    if object_in(modern) is None or object_in(plain) is None:
        return None
    mirrored = [
        (b"mcp-protocol-version", b"2026-07-28"),
        (b"mcp-method", method),
        (b"mcp-name", encode_value(orjson.loads(name)).encode()),
    ]
    if orjson.loads(name) == "up__region":
        made = param_headers(REGION, object_in(arguments) or {})
        mirrored += [(key.lower().encode(), value.encode()) for key, value in made.items()]
    of_session = [(b"mcp-session-id", session)]
    versioned = [*of_session, (b"mcp-protocol-version", b"2025-11-25")]
    return [(of_session, plain, True), (versioned, plain, False),
            ([], modern, True), (mirrored, modern, False)]  # fmt: skip


def _body(method: bytes, params: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":1,"method":"%b","params":{%b}}' % (method, params)


def _seen(call: Call) -> object:
    return call.digest, call.target, call.method, shape(call.params), call.principal.id


def _refusal(answer: Answer) -> object:
    """The reason, which is the same in every era; how it is said is not."""
    said = orjson.loads(answer.body)
    if "error" in said:
        return said["error"]["data"]["reason"]
    return said["result"]["_meta"]["lockgate/reason"]
