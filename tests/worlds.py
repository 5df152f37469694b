"""Small shared values for tests. No logic beyond building them."""

from typing import Any

import orjson

from lockgate.model import Call, Principal, Tool, Upstream

ALICE = Principal(
    kind="person",
    subject="alice",
    roles=frozenset({"doctor"}),
    agent="desk",
    owner="alice",
    authn=frozenset({"api_key"}),
    credential="k1",
)
BOB = Principal(
    kind="person",
    subject="bob",
    roles=frozenset({"billing"}),
    agent="desk",
    owner="bob",
    authn=frozenset({"api_key"}),
    credential="k2",
)
CLINIC = Upstream("clinic", trust="internal", data_classes=frozenset({"phi"}))

ANY_OBJECT = {"type": "object"}


def tool(name: str = "get_patient", schema: Any = None, upstream: str = "clinic") -> Tool:
    raw_schema = orjson.dumps(ANY_OBJECT if schema is None else schema)
    definition = orjson.dumps({"name": name, "inputSchema": orjson.Fragment(raw_schema)})
    return Tool(upstream, name, definition, raw_schema)


def call(
    target: str = "get_patient",
    principal: Principal = ALICE,
    upstream: Upstream = CLINIC,
    schema: Any = None,
    **arguments: Any,
) -> Call:
    params = orjson.dumps({"name": target, "arguments": arguments})
    known = tool(target, schema, upstream.name)
    return Call("c-1", principal, "tools/call", upstream, target, params, known)


def list_call(
    method: str = "tools/list", principal: Principal = ALICE, upstream: Upstream = CLINIC
) -> Call:
    return Call("c-2", principal, method, upstream, "")
