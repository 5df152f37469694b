# ruff: noqa: T201
"""A stdio server that answers a tool call with whatever it is told to, byte for byte.

``parrot.py legacy|modern``. Standard library only, to start fast.
"""

import json
import sys
from typing import Any

INFO = {"name": "parrot", "version": "1"}
TOOLS = [{"name": "say", "inputSchema": {"type": "object"}, "x-vendor": {"price": 1}}]
GREETINGS: dict[str, dict[str, dict[str, Any]]] = {
    "legacy": {"initialize": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                              "serverInfo": INFO}},
    "modern": {"server/discover": {"resultType": "complete", "supportedVersions": ["2026-07-28"],
                                   "capabilities": {"tools": {}}, "ttlMs": 0,
                                   "cacheScope": "private"}},
}  # fmt: skip


def answer(id: object, member: str, raw: str) -> None:
    print(f'{{"jsonrpc":"2.0","id":{json.dumps(id)},"{member}":{raw}}}', flush=True)


def handle(era: str, message: dict[str, Any]) -> None:
    method, id = message["method"], message.get("id")
    greeting = GREETINGS[era].get(method)
    if id is None:
        return
    if greeting:
        answer(id, "result", json.dumps(greeting))
    elif method == "tools/list":
        answer(id, "result", json.dumps({"resultType": "complete", "tools": TOOLS}))
    elif method == "tools/call":
        told = message["params"]["arguments"]
        answer(id, told["member"], told["raw"])
    else:
        answer(id, "error", '{"code":-32601,"message":"no"}')


if __name__ == "__main__":
    for line in sys.stdin:
        handle(sys.argv[1], json.loads(line))
