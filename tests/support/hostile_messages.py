"""Hostile MCP messages: JSON, JSON-RPC, parameters, names, mirrored headers, sessions."""

import json
from collections.abc import Mapping
from typing import Any

from support.client import ENVELOPE, LEGACY, MODERN, Said, enveloped, mirror
from support.hostile import MESSAGE_BYTES, Act, World, case

# The body of a modern request.


def posting(body: bytes | str, headers: Mapping[str, str] | None = None) -> Act:
    raw = body.encode() if isinstance(body, str) else body
    sent = mirror("tools/list", {}) if headers is None else headers
    return lambda world: world.client.post(raw, sent)


def asking(params: object = None, method: object = "tools/list", **members: Any) -> Act:
    name = params.get("name") if isinstance(params, dict) else None
    target = {"name": name} if isinstance(name, str) else {}
    if isinstance(params, dict):
        params = enveloped(params)
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params, **members}
    kept = {k: v for k, v in body.items() if v is not ...}
    return posting(json.dumps(kept), mirror(str(method), target))


META = json.dumps(ENVELOPE)
PLAIN = '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":%s%s}}'

for name, body in {
    "cut short": '{"jsonrpc":"2.0","id":1,"method":',
    "empty": "",
    "white space": "  \n ",
    "NaN": PLAIN % (META, ',"x":NaN'),
    "infinity": PLAIN % (META, ',"x":-Infinity'),
    "lone surrogate": PLAIN % (META, ',"x":"\\ud800"'),
    "single quotes": "{'jsonrpc':'2.0'}",
    "comment": PLAIN % (META, ',"x":1/* */'),
    "trailing comma": PLAIN % (META, ',"x":[1,]'),
    "two messages": PLAIN % (META, "") * 2,
    "byte order mark": "\ufeff" + PLAIN % (META, ""),
    "raw control character": PLAIN % (META, ',"x":"\n"'),
}.items():
    case(f"json: {name}", "wire.not-json", posting(body))
case("json: not UTF-8", "wire.not-json", posting(PLAIN.encode() % (META.encode(), b',"x":"\xff"')))
case("json: UTF-16", "wire.not-json", posting((PLAIN % (META, "")).encode("utf-16")))
case(
    "json: compressed",
    "wire.not-json",
    posting(b"\x1f\x8b\x08\0", {**mirror("tools/list", {}), "content-encoding": "gzip"}),
)

for name, body in {
    "id": PLAIN.replace('"id":1', '"id":1,"id":2') % (META, ""),
    "method": PLAIN.replace('"id":1', '"method":"ping"') % (META, ""),
    "in params": PLAIN % (META, ',"name":"a","name":"b"'),
    "deep inside": PLAIN % (META, ',"x":[{"y":{"z":1,"z":1}}]'),
    "by escape": PLAIN % (META, ',"ab":1,"\\u0061b":2'),
    "of white space": PLAIN % (META, ',"a" :1,"a"\t:2'),
}.items():
    case(f"twice: {name}", "wire.duplicate-key", posting(body))

for name, body in {
    "of what is called": PLAIN % (META, ',"name":"a","Name":"b"'),
    "of what is called, alone": PLAIN % (META, ',"Name":"b"'),
    "by a long s": PLAIN % (META, ',"arguments":{},"argument\\u017f":{}'),
    "deep inside": PLAIN % (META, ',"x":[{"y":{"z":1,"Z":1}}]'),
}.items():
    case(f"other spelling: {name}", "wire.ambiguous-key", posting(body))

case("deep: 65 levels", "wire.too-deep", posting(PLAIN % (META, ',"x":' + "[" * 63 + "]" * 63)))
case("deep: 100 000 levels", "wire.too-deep", posting("[" * 100_000 + "]" * 100_000))
case("deep: objects", "wire.too-deep", posting('{"a":' * 90 + "1" + "}" * 90))
case("large: just over", "wire.too-large", posting(" " * (MESSAGE_BYTES + 1)))

for name, body in {
    "number": "7",
    "string": '"x"',
    "null": "null",
    "empty object": "{}",
    "no method": '{"jsonrpc":"2.0","id":1}',
    "result and error": '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}}',
    "result is a list": '{"jsonrpc":"2.0","id":1,"result":[]}',
    "error is text": '{"jsonrpc":"2.0","id":1,"error":"x"}',
    "error without code": '{"jsonrpc":"2.0","id":1,"error":{"message":"x"}}',
    "result without id": '{"jsonrpc":"2.0","result":{}}',
    "request and result": '{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}',
    "response in this version": '{"jsonrpc":"2.0","id":1,"result":{}}',
}.items():
    case(f"shape: {name}", "wire.not-jsonrpc", posting(body))
case("shape: version 1.0", "wire.not-jsonrpc", asking({}, jsonrpc="1.0"))
case("shape: version 2", "wire.not-jsonrpc", asking({}, jsonrpc=2))
case("shape: no version", "wire.not-jsonrpc", asking({}, jsonrpc=...))
case("shape: method is a number", "wire.not-jsonrpc", asking({}, 7))
case("shape: method is empty", "wire.not-jsonrpc", asking({}, ""))
case("shape: method is null", "wire.not-jsonrpc", asking({}, None))
case("shape: empty batch", "wire.batch", posting("[]"))
case("shape: batch", "wire.batch", posting(f"[{PLAIN % (META, '')}]"))

IDS: dict[str, object] = {"null": None, "true": True, "fraction": 1.5, "list": [1], "object": {}}
for name, id in IDS.items():
    case(f"id: {name}", "wire.bad-id", asking({}, id=id))
case("id: exponent", "wire.bad-id", posting(PLAIN.replace('"id":1', '"id":1e2') % (META, "")))

for name, params in {"list": [1], "text": "x", "number": 3, "true": True}.items():
    case(f"params: {name}", "wire.bad-params", asking(params), status=200)
for name, params in {
    "arguments is a list": {"name": "odd__echo", "arguments": [1]},
    "arguments is text": {"name": "odd__echo", "arguments": "x"},
    "name is a number": {"name": 7},
    "name is a list": {"name": ["odd__echo"]},
    "name is empty": {"name": ""},
    "no name": {},
}.items():
    case(f"params: {name}", "wire.bad-params", asking(params, "tools/call"), status=200)
case("params: cursor is a number", "wire.bad-params", asking({"cursor": 7}), status=200)
case("params: cursor of nobody", "cursor.invalid", asking({"cursor": "AAAA"}), status=200)
case("params: notification's are a list", "wire.bad-params", asking([], id=...), status=400)
for name, meta in {
    "_meta is a list": [],
    "version is a number": {**ENVELOPE, "io.modelcontextprotocol/protocolVersion": 7},
    "capabilities is a list": {**ENVELOPE, "io.modelcontextprotocol/clientCapabilities": []},
    "progressToken is an object": {**ENVELOPE, "progressToken": {}},
}.items():
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    )
    case(f"meta: {name}", "wire.bad-params", posting(body), status=200)
NO_CAPABILITIES = json.dumps({"io.modelcontextprotocol/protocolVersion": MODERN})
case("meta: no capabilities", "wire.missing-meta", posting(PLAIN % (NO_CAPABILITIES, "")))
case(
    "meta: none",
    "wire.missing-meta",
    posting('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}'),
)
FUTURE = PLAIN.replace(
    "%s%s",
    '{"io.modelcontextprotocol/protocolVersion":"2999-01-01",'
    '"io.modelcontextprotocol/clientCapabilities":{}}',
)
case(
    "meta: version of the future",
    "wire.unsupported-version",
    posting(FUTURE, {"mcp-protocol-version": "2999-01-01", "mcp-method": "tools/list"}),
)

# What there is not.

for method in (
    "tools/destroy",
    "ping",
    "initialize",
    "tasks/result",
    "resources/subscribe",
    "logging/setLevel",
    "x" * 5_000,
    "../admin",
    "notifications/cancelled",
):
    case(f"method: {method[:30]}", "wire.unknown-method", asking({}, method))
case("name: no such tool", "resolve.unknown-tool", asking({"name": "odd__no"}, "tools/call"))
case("name: no such upstream", "resolve.unknown-tool", asking({"name": "no__echo"}, "tools/call"))
case("name: no upstream", "resolve.unknown-tool", asking({"name": "echo"}, "tools/call"))


def reading(uri: str) -> Act:
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "resources/read",
        "params": enveloped({"uri": uri}),
    }
    return posting(json.dumps(body), mirror("resources/read", {"uri": uri}))


case("name: no such resource", "resolve.unknown-resource", reading("file:///etc/passwd"))
case("name: no such prompt", "resolve.unknown-prompt", asking({"name": "no__p"}, "prompts/get"))

# Headers that repeat the body.

RIGHT = mirror("tools/call", {"name": "odd__mirrored"}) | {"mcp-param-region": "eu"}
CALL = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": enveloped({"name": "odd__mirrored", "arguments": {"region": "eu"}}),
    }
)


def with_headers(headers: list[tuple[str, str]]) -> Act:
    """Also what no client library sends, such as one header twice."""

    async def act(world: World) -> Said:
        lines = [f"{name}: {value}" for name, value in headers]
        async with world.wire() as wire:
            await wire.send(world.head(len(CALL), "connection: close", *lines) + CALL.encode())
            return await wire.answer()

    return act


for name in RIGHT:
    others = [(k, v) for k, v in RIGHT.items() if k != name]
    wrong = {"mcp-protocol-version": LEGACY, "mcp-method": "tools/list"}.get(name, "another")
    for kind, headers in {
        "missing": others,
        "wrong": [*others, (name, wrong)],
        "twice": [*others, (name, RIGHT[name]), (name, RIGHT[name])],
        "twice, one wrong": [*others, (name, RIGHT[name]), (name, wrong)],
        "empty": [*others, (name, "")],
        "bad base64": [*others, (name, "=?base64?%%%?=")],
    }.items():
        case(f"mirror: {name} {kind}", "wire.header-mismatch", with_headers(headers))
case(
    "mirror: content-type twice",
    "wire.header-mismatch",
    with_headers([*RIGHT.items(), ("content-type", "application/json")]),
)

# Legacy sessions.


def legacy(method: str, params: Any = None, **rest: Any) -> Act:
    return lambda world: world.client.legacy(method, params, session=world.session, **rest)


def in_session(body: str, version: str = LEGACY) -> Act:
    return lambda world: world.client.post(
        body.encode(), {"mcp-session-id": world.session, "mcp-protocol-version": version}
    )


async def sealed_elsewhere(world: World) -> Said:
    return await world.client.at(f"{world.gate.url}/odd").legacy(
        "tools/list", session=world.session
    )


async def ended(world: World) -> Said:
    client = world.client.at(world.client.url)
    assert (await client.close(await client.open())).status == 204
    return await client.legacy("tools/list")


for method in ("server/discover", "subscriptions/listen", "tasks/get", "tasks/list", "x"):
    case(
        f"legacy method: {method}", "wire.unknown-method", legacy(method, {"uri": "x"}), status=200
    )
case("session: none", "session.missing", lambda w: w.client.legacy("tools/list", session=""))
case("session: invented", "session.unknown", lambda w: w.client.legacy("ping", session="AAAA"))
case(
    "session: cut short",
    "session.unknown",
    lambda w: w.client.legacy("ping", session=w.session[:-2]),
)
case("session: of another endpoint", "session.unknown", sealed_elsewhere)
case("session: ended", "session.unknown", ended)
case("session: end of none", "session.missing", lambda w: w.client.close(""))
case("session: end of an invented one", "session.unknown", lambda w: w.client.close("AAAA"))
case(
    "session: another version",
    "wire.header-mismatch",
    in_session('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', "2025-06-18"),
)
case(
    "session: unknown version",
    "wire.unsupported-version",
    in_session('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', "1999-01-01"),
)
case(
    "session: response to nothing we asked, misshapen",
    "wire.not-jsonrpc",
    in_session('{"jsonrpc":"2.0","id":1,"result":"x"}'),
)
case(
    "session: notification with odd params",
    "wire.bad-params",
    in_session('{"jsonrpc":"2.0","method":"notifications/cancelled","params":"x"}'),
    status=400,
)
case(
    "initialize: no version",
    "wire.bad-params",
    lambda w: w.client.legacy("initialize", {"capabilities": {}}),
    status=200,
)
case(
    "initialize: capabilities is a list",
    "wire.bad-params",
    lambda w: w.client.legacy("initialize", {"protocolVersion": LEGACY, "capabilities": []}),
    status=200,
)
case(
    "initialize: vast capabilities",
    "wire.bad-params",
    lambda w: w.client.legacy(
        "initialize", {"protocolVersion": LEGACY, "capabilities": {"x": "x" * 5_000}}
    ),
    status=200,
)
