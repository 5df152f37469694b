# ruff: noqa: T201
"""An upstream that misbehaves on command: ``odd_child.py KIND``. Standard library only.

Beside what ``upstream_children`` can do: lists of any size and shape, replies of wrong shape, late
answers. The kind says how it lists; the tool's name says how it answers.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

MODERN = "2026-07-28"
INFO = {"name": "odd", "version": "1"}
SCHEMA = {"type": "object"}
Json = dict[str, Any]

MIRRORED = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
}
TOOLS = [
    {"name": name, "inputSchema": SCHEMA}
    for name in ("echo", "hang", "exit", "garbage", "not_json", "twice", "flood", "large", "stray",
                 "no_content", "text_not_list", "result_list", "unknown_type", "late", "drip",
                 "error_shape", "deep", "who", "progress")
] + [{"name": "mirrored", "inputSchema": MIRRORED}]  # fmt: skip


def say(message: object) -> None:
    print(json.dumps(message), flush=True)


def answer(id: object, result: object) -> None:
    say({"jsonrpc": "2.0", "id": id, "result": result})


def raw(id: object, result: str) -> None:
    print(f'{{"jsonrpc":"2.0","id":{id},"result":{result}}}', flush=True)


def complete(**members: object) -> Json:
    return {"resultType": "complete", **members}


def text(said: str) -> Json:
    return complete(content=[{"type": "text", "text": said}])


def listing(kind: str, cursor: str | None) -> Json:
    """One page of ``tools/list``."""
    if kind == "big":  # about 2 MB, none of it policy's business
        filler = "x" * 2_000
        tools = [
            {"name": f"t{n}", "description": filler, "inputSchema": SCHEMA} for n in range(1_000)
        ]
        return complete(tools=tools)
    if kind == "huge":
        return complete(tools=[{"name": "t", "description": "x" * 6_000_000, "inputSchema": {}}])
    if kind == "endless":
        number = int(cursor or 0)
        return complete(tools=[{"name": f"t{number}", "inputSchema": SCHEMA}],
                        nextCursor=str(number + 1))  # fmt: skip
    if kind == "loop":
        return complete(tools=[{"name": "t", "inputSchema": SCHEMA}], nextCursor="again")
    shapes: dict[str, Json] = {
        "no-list": complete(tools={"name": "t"}),
        "null-list": complete(tools=None),
        "odd-items": complete(tools=[1, None, "t", [], {"name": 7}, {"inputSchema": {}}, *TOOLS]),
        "odd-cursor": complete(tools=TOOLS, nextCursor=7),
        "per-process": complete(tools=[*TOOLS, {"name": f"own{os.getpid()}",
                                                "inputSchema": SCHEMA}]),
    }  # fmt: skip
    return shapes.get(kind, complete(tools=TOOLS))


def call(id: object, name: str, params: Json) -> None:
    arguments = params.get("arguments") or {}
    acts: dict[str, Callable[[], object]] = {
        "hang": lambda: None,
        "exit": lambda: sys.exit(7),
        "garbage": lambda: print("this is not JSON-RPC", flush=True),
        "not_json": lambda: raw(id, "{"),
        "twice": lambda: raw(id, '{"content":[],"content":[1]}'),
        "deep": lambda: raw(id, '{"content":' + "[" * 500 + "]" * 500 + "}"),
        "flood": flood,
        "drip": drip,
        "large": lambda: answer(id, text("x" * int(arguments.get("n", 0)))),
        "stray": stray,
        "no_content": lambda: answer(id, complete(contents=[])),
        "text_not_list": lambda: answer(id, complete(content="text")),
        "result_list": lambda: answer(id, ["content"]),
        "unknown_type": lambda: answer(id, {"resultType": "tomorrow", "content": []}),
        "error_shape": lambda: say({"jsonrpc": "2.0", "id": id, "error": "no"}),
        "who": lambda: answer(id, text(str(os.getpid()))),
        "progress": lambda: progress(id, params),
        "late": lambda: LATE.append(id),
    }  # fmt: skip
    act = acts.get(name)
    if act is not None:
        act()
    else:
        answer(id, text(json.dumps(arguments)))
    if name != "late":
        while LATE:
            answer(LATE.pop(), text("too late"))


LATE: list[object] = []


def progress(id: object, params: Json) -> None:
    """Three steps, then the answer; each repeats the argument ``who``."""
    who = params["arguments"]["who"]
    for step in (1, 2, 3):
        said = {"progressToken": params["_meta"]["progressToken"], "progress": step, "message": who}
        say({"jsonrpc": "2.0", "method": "notifications/progress", "params": said})
    answer(id, text(who))


def stray() -> None:
    """Answers to what nobody asked, and none to what was."""
    for number in range(900, 950):
        answer(number, text("not yours"))


def flood() -> None:
    """More than anybody would read, as fast as it can, for ever."""
    line = json.dumps(
        {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x"}}
    )
    while True:
        print(line)


def drip() -> None:
    """A line that never ends."""
    while True:
        sys.stdout.write("x" * 65_536)


def handle(kind: str, message: Json) -> None:
    method, id = message.get("method"), message.get("id")
    params = message.get("params") or {}
    if method == "server/discover":
        meta = {"io.modelcontextprotocol/serverInfo": INFO}
        answer(id, complete(supportedVersions=[MODERN], capabilities={"tools": {}}, ttlMs=0,
                            cacheScope="private", _meta=meta))  # fmt: skip
    elif method == "tools/list":
        answer(id, listing(kind, params.get("cursor")))
    elif method == "tools/call":
        call(id, params["name"], params)
    elif id is not None:
        say({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no"}})


if __name__ == "__main__":
    for line in sys.stdin:
        handle(sys.argv[1], json.loads(line))
