"""What upstreams say while a call runs: notices, questions, results. And what clients answer."""

import asyncio
from collections.abc import Awaitable, Callable

import orjson

from fuzz.parts import LIMITS, cut, text
from fuzz.stage import Stage, finish, settle
from fuzz.targets.gateway import check_answer
from lockgate.app.answers import Answer
from lockgate.model import Permit, Reply
from lockgate.model.call import EraName
from lockgate.upstream.link import Hears
from lockgate.wire import edit, jsonrpc
from lockgate.wire.jsonrpc import Message
from lockgate.wire.refusal import WireRefusal

_MOST_ROUNDS = 12
_ABLE = b'{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"roots":{"listChanged":true}}'
_OPENING = (
    b'{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",'
    b'"capabilities":%b,"clientInfo":{"name":"fuzz","version":"1"}}}' % _ABLE
)
_RENEWED = 300


class _Used:
    inputs = 0
    stage = Stage()


def dialogue(data: bytes) -> None:
    """Parts: the client's era and the upstream's (``legacy modern``); what the upstream sends,
    ``note`` or ``ask``, method and params a line, its fields apart by tabs; its result; what the
    client answers to each question."""
    eras, said, result, answer = cut(data, 4)
    last = _message(b'"result":%b' % result)
    reply = _message(b'"result":%b' % (answer or b"{}"))
    if last is None or reply is None:
        return
    if _Used.inputs % _RENEWED == 0:
        _Used.stage = Stage()
    _Used.inputs += 1
    stage = _Used.stage
    stage.begin()
    upstream: EraName = "modern" if eras.endswith(b"modern") else "legacy"
    stage.behind.script = _script(said, last.result or b"{}", upstream)
    talk = _legacy if eras.startswith(b"legacy") else _modern
    finish(talk(stage, reply.result or b"{}"))
    stage.check_over()


def _message(members: bytes) -> Message | None:
    """As the channel reads it; None for what it refuses."""
    try:
        return jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,%b}' % members, LIMITS)
    except WireRefusal:
        return None


def _script(
    said: bytes, result: bytes, era: EraName
) -> Callable[[Permit, Hears], Awaitable[Reply]]:
    lines = [[*line.split(b"\t", 2), b"", b""][:3] for line in said.split(b"\n")[:8]]

    async def play(permit: Permit, hears: Hears) -> Reply:
        for how, method, params in lines:
            message = _message(b'"method":"m","params":%b' % (params or b"{}"))
            if message is None:
                continue
            if how == b"note":
                hears.note(text(method), message.params)
            elif how == b"ask":
                back = await hears.ask(text(method), message.params, era)
                assert edit.is_object(back.raw)
                jsonrpc.parse(jsonrpc.encode_error_raw(1, back.raw) if back.is_error
                              else jsonrpc.encode_result(1, back.raw), LIMITS)  # fmt: skip
        return Reply(permit.call, result)

    return play


async def _legacy(stage: Stage, reply: bytes) -> None:
    """Questions come over the stream, answers go as messages of their own."""
    opened = await stage.post(_OPENING, [], _deaf)
    headers = [(b"mcp-session-id", opened.session.encode())]
    posted: list[asyncio.Task[Answer]] = []

    def hear(raw: bytes) -> None:
        message = jsonrpc.parse(raw, LIMITS)
        if message.kind == "request" and message.id is not None:
            _check_question(stage)
            body = jsonrpc.encode_result(message.id, reply)
            posted.append(asyncio.ensure_future(stage.post(body, headers, _deaf)))
        else:
            assert message.kind == "notification"

    body = (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"up__echo",'
        b'"arguments":{},"_meta":{"progressToken":"p"}}}'
    )
    check_answer(await stage.post(body, headers, hear), body)
    for task in posted:
        await settle(task)
        assert task.result().status in (202, 400, 200)


async def _modern(stage: Stage, reply: bytes) -> None:
    """Questions come as a result, answers with the same request again."""
    headers = [(b"mcp-protocol-version", b"2026-07-28"), (b"mcp-method", b"tools/call"),
               (b"mcp-name", b"up__echo")]  # fmt: skip
    meta = (
        b'{"io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":7,'
        b'"io.modelcontextprotocol/logLevel":"debug",'
        b'"io.modelcontextprotocol/clientCapabilities":%b}' % _ABLE
    )
    more = b""
    for number in range(_MOST_ROUNDS):
        body = (
            b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"up__echo",'
            b'"arguments":{},"_meta":%b%b}}' % (number, meta, more)
        )
        answer = await stage.post(body, headers, _deaf)
        check_answer(answer, body)
        asked = orjson.loads(answer.body).get("result", {})
        if asked.get("resultType") != "input_required":
            return
        keys = asked.get("inputRequests", {})
        if keys:
            _check_question(stage)
        given = b",".join(b"%b:%b" % (orjson.dumps(key), reply) for key in keys)
        state = asked.get("requestState")  # none where the upstream keeps none
        kept = b"" if state is None else b',"requestState":%b' % orjson.dumps(state)
        more = b',"inputResponses":{%b}%b' % (given, kept)
    stage.gateway.dialogue.parking.end_all()
    for _ in range(20):
        await asyncio.sleep(0)


def _deaf(raw: bytes) -> None:
    jsonrpc.parse(raw, LIMITS)


def _check_question(stage: Stage) -> None:
    """What a person is asked is on record before."""
    intents = [e for e in stage.ledger.events if e.kind == "call.intent" and ".q" in e.call]
    assert any(e.effect == "permit" for e in intents), "asked without a recorded intent"
