# ruff: noqa: T201
"""Small stdio MCP servers, each good or bad in one way: ``python upstream_children.py KIND``.

Real processes for the tests of upstream connections. Standard library only, to start fast.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
INFO = {"name": "child", "version": "1"}
TOOLS = [{"name": "echo", "inputSchema": {"type": "object"}, "x-vendor": 1.50}]

Request = dict[str, Any]


def say(message: object) -> None:
    print(json.dumps(message), flush=True)


def answer(request: Request, result: object) -> None:
    say({"jsonrpc": "2.0", "id": request["id"], "result": result})


def fail(request: Request, code: int, text: str = "no") -> None:
    say({"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": text}})


def complete(**members: object) -> dict[str, object]:
    return {"resultType": "complete", **members}


def modern(request: Request) -> None:
    method = request["method"]
    if method == "server/discover":
        meta = {"io.modelcontextprotocol/serverInfo": INFO}
        found = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}, "_meta": meta}
        answer(request, complete(ttlMs=0, cacheScope="private", **found))
    elif "id" in request and VERSION_KEY not in request["params"].get("_meta", {}):
        fail(request, -32602, "envelope missing")
    else:
        common(request, complete)


LISTENS: list[object] = []
"""Ids of those that are open."""


def watched(request: Request) -> None:
    """Modern, and tells what changes."""
    method = request["method"]
    if method == "server/discover":
        can: Request = {"tools": {"listChanged": True}, "resources": {"subscribe": True}}
        found = {"supportedVersions": [MODERN], "capabilities": can}
        answer(request, complete(ttlMs=0, cacheScope="private", **found))
    elif method == "subscriptions/listen":
        LISTENS.append(request["id"])
        wanted = request["params"]["notifications"]
        tell_listen(request["id"], "notifications/subscriptions/acknowledged", notifications=wanted)
    elif method == "notifications/cancelled":
        LISTENS.remove(request["params"]["requestId"])
    elif method == "tools/call" and request["params"]["name"] == "change":
        for one in LISTENS:
            tell_listen(one, "notifications/tools/list_changed")
            tell_listen(one, "notifications/resources/updated", uri="file:///a")
        answer(request, complete(content=[], structuredContent={"listens": len(LISTENS)}))
    else:
        modern(request)


def tell_listen(id: object, method: str, **params: object) -> None:
    tell(method, **params, _meta={"io.modelcontextprotocol/subscriptionId": id})


def legacy(request: Request) -> None:
    method = request["method"]
    if method == "initialize":
        can: Request = {"tools": {}, "logging": {}}
        answer(request, {"protocolVersion": LEGACY, "capabilities": can, "serverInfo": INFO})
    elif method == "notifications/initialized":
        return
    else:
        common(request, dict)


def common(request: Request, result: Callable[..., object]) -> None:
    method = request["method"]
    if method == "tools/list":
        answer(request, result(tools=TOOLS))
    elif method == "tools/call":
        call(request, result)
    elif method == "notifications/cancelled":
        SEEN.append(request["params"])
    elif method == "logging/setLevel":
        LEVELS.append(request["params"]["level"])
        answer(request, {})
    elif "id" in request and "method" in request:
        fail(request, -32601)


SEEN: list[object] = []


ANSWERS: list[object] = []
"""Responses to what this server asked, where nothing waited for them."""
LEVELS: list[str] = []


def call(request: Request, result: Callable[..., object]) -> None:
    """The tool's name says what happens."""
    acts = {"hang": hang, "exit": leave, "garbage": garbage, "large": large, "flood": flood,
            "progress": progress, "ask": ask, "fail": refuse, "log": log, "meta": meta,
            "ask-and-withdraw": ask_and_withdraw, "change": change}  # fmt: skip
    acts.get(request["params"]["name"], echo)(request, result)


def hang(request: Request, result: Callable[..., object]) -> None:
    return


def leave(request: Request, result: Callable[..., object]) -> None:
    sys.exit(7)


def garbage(request: Request, result: Callable[..., object]) -> None:
    print("this is not JSON-RPC", flush=True)


def large(request: Request, result: Callable[..., object]) -> None:
    text = "x" * int(request["params"]["arguments"]["n"])
    answer(request, result(content=[{"type": "text", "text": text}]))


def flood(request: Request, result: Callable[..., object]) -> None:
    for _ in range(20_000):
        say({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x"}})


def refuse(request: Request, result: Callable[..., object]) -> None:
    fail(request, -32602, "bad arguments")


def echo(request: Request, result: Callable[..., object]) -> None:
    arguments = request["params"].get("arguments")
    said = {"arguments": arguments, "seen": SEEN, "env": dict(os.environ), "pid": os.getpid(),
            "answers": ANSWERS}  # fmt: skip
    answer(request, result(content=[], structuredContent=said))


def progress(request: Request, result: Callable[..., object]) -> None:
    token = request["params"]["_meta"]["progressToken"]
    for step in (request["params"]["arguments"] or {}).get("steps", (1, 2)):
        params = {"progressToken": token, "progress": step, "message": "on it"}
        say({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
    stray = {"progressToken": "somebody-else", "progress": 1}
    say({"jsonrpc": "2.0", "method": "notifications/progress", "params": stray})
    answer(request, result(content=[]))


def ask(request: Request, result: Callable[..., object]) -> None:
    """Ask the client two things and return what it said."""
    said = []
    for number, method in ((900, "ping"), (901, "roots/list")):
        say({"jsonrpc": "2.0", "id": number, "method": method})
        said.append(json.loads(sys.stdin.readline()))
    answer(request, result(content=[], structuredContent={"said": said}))


def ask_and_withdraw(request: Request, result: Callable[..., object]) -> None:
    """Ask, and take it back when another request comes."""
    say({"jsonrpc": "2.0", "id": 902, "method": "roots/list"})
    another = json.loads(sys.stdin.readline())
    tell("notifications/cancelled", requestId=902)
    for one in (request, another):
        answer(one, result(content=[]))


def log(request: Request, result: Callable[..., object]) -> None:
    for level in ("debug", "info", "error", "no level"):
        tell("notifications/message", level=level, data="x")
    answer(request, result(content=[], structuredContent={"level": LEVELS}))


def meta(request: Request, result: Callable[..., object]) -> None:
    answer(request, result(content=[], structuredContent=request["params"]["_meta"]))


def change(request: Request, result: Callable[..., object]) -> None:
    tell("notifications/tools/list_changed")
    tell("notifications/resources/updated", uri="file:///a")
    tell("notifications/message", level="info", data="x")
    tell("notifications/unheard-of")
    answer(request, result(content=[]))


def tell(method: str, **params: object) -> None:
    say({"jsonrpc": "2.0", "method": method, "params": params})


def serve(handle: Callable[[Request], None]) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "method" in message:
            handle(message)
        else:
            ANSWERS.append(message)


def dual(request: Request) -> None:
    envelope = "io.modelcontextprotocol/protocolVersion" in request.get("params", {}).get(
        "_meta", {}
    )
    (modern if envelope or request["method"] == "server/discover" else legacy)(request)


def exits_on_discover(request: Request) -> None:
    if request["method"] == "server/discover":
        sys.exit(3)
    legacy(request)


def serve_and_exit_late() -> None:
    """Ends of the probe when ``initialize`` has come too: it is slow to start."""
    first = sys.stdin.readline()
    if "server/discover" in first:
        for _ in ("its cancellation", "initialize"):
            sys.stdin.readline()
        sys.exit(3)
    legacy(json.loads(first))
    serve(legacy)


def hangs_on_discover(request: Request) -> None:
    """Single-threaded and stuck: later requests go unanswered too."""
    if request["method"] == "server/discover":
        while True:
            signal.pause()
    legacy(request)


_probed: list[bool] = []


def slow_to_start(request: Request) -> None:
    """Never answers the probe; answers ``initialize`` only in the process that was probed."""
    if request["method"] == "server/discover":
        _probed.append(True)
    elif _probed:
        legacy(request)
    else:
        sys.exit(4)


def slow_modern(request: Request) -> None:
    """Reads the probe only when ``initialize`` follows it, and is modern from then on."""
    if request["method"] != "initialize":
        modern(request)
        return
    data = {"supported": [MODERN], "requested": LEGACY}
    error = {"code": -32022, "message": "this connection is modern", "data": data}
    say({"jsonrpc": "2.0", "id": request["id"], "error": error})


def serve_slowly() -> None:
    lines = [sys.stdin.readline() for _ in ("server/discover", "its cancellation", "initialize")]
    for line in lines:
        slow_modern(json.loads(line))
    serve(slow_modern)


def refuses_discover(request: Request) -> None:
    if request["method"] == "server/discover":
        fail(request, -32000, "Server not initialized")
    else:
        legacy(request)


_refused: list[bool] = []


def choosy(request: Request) -> None:
    """Refuses the first probe, and names the version that was asked for."""
    if request["method"] == "server/discover" and not _refused:
        _refused.append(True)
        data = {"supported": [MODERN], "requested": MODERN}
        error = {"code": -32022, "message": "no", "data": data}
        say({"jsonrpc": "2.0", "id": request["id"], "error": error})
    else:
        modern(request)


def null_id(request: Request) -> None:
    """As old servers do: an error that does not say what it is about."""
    if request["method"] == "server/discover":
        say({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no"}})
    else:
        legacy(request)


def future_only(request: Request) -> None:
    if request["method"] == "server/discover":
        data = {"supported": ["2099-01-01"], "requested": MODERN}
        error = {"code": -32022, "message": "no", "data": data}
        say({"jsonrpc": "2.0", "id": request["id"], "error": error})
    else:
        fail(request, -32601)


def crash() -> None:
    print("cannot find the database", file=sys.stderr, flush=True)
    sys.exit(9)


def chatter() -> None:
    for number in range(200):
        print(f"line {number}", file=sys.stderr, flush=True)
    serve(modern)


def stubborn() -> None:
    """Ignores the end of stdin and SIGTERM, and has a child in a session of its own."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    grandchild()
    for line in sys.stdin:
        modern(json.loads(line))
    while True:
        signal.pause()


def reads_no_more() -> None:
    modern(json.loads(sys.stdin.readline()))
    while True:
        signal.pause()


def family() -> None:
    grandchild()
    serve(modern)


def grandchild() -> None:
    sleeper = "import signal, sys; print(1, flush=True); signal.pause()"
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", sleeper], start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert child.stdout is not None
    child.stdout.read(1)
    print(f"pids {os.getpid()} {child.pid}", file=sys.stderr, flush=True)


KINDS: dict[str, Callable[[], None]] = {
    "modern": lambda: serve(modern),
    "watched": lambda: serve(watched),
    "legacy": lambda: serve(refuses_discover),
    "dual": lambda: serve(dual),
    "exits-on-discover": lambda: serve(exits_on_discover),
    "exits-late-on-discover": serve_and_exit_late,
    "hangs-on-discover": lambda: serve(hangs_on_discover),
    "slow-to-start": lambda: serve(slow_to_start),
    "slow-modern": serve_slowly,
    "future-only": lambda: serve(future_only),
    "crash": crash,
    "chatter": chatter,
    "stubborn": stubborn,
    "family": family,
    "choosy": lambda: serve(choosy),
    "null-id": lambda: serve(null_id),
    "reads-no-more": reads_no_more,
    "silent": signal.pause,
}

if __name__ == "__main__":
    KINDS[sys.argv[1]]()
