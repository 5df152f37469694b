"""An upstream that counts: every call that reaches it is in a file, durably, before it answers.

``counting_child.py FOLDER``: each process appends the ``token`` argument of each call to a file of
its own there. Tools: ``count`` answers at once, ``slow`` when a file named ``go`` is in the folder.
Lists hang while a file named ``hang`` is there.
"""

import json
import os
import select
import sys
from pathlib import Path
from typing import Any

SCHEMA = {
    "type": "object",
    "properties": {"token": {"type": "string"}},
    "required": ["token"],
}
TOOLS = [{"name": name, "inputSchema": SCHEMA} for name in ("count", "slow")]
META = {"io.modelcontextprotocol/serverInfo": {"name": "counting", "version": "1"}}


def answer(id: object, **members: object) -> None:
    result = {"resultType": "complete", **members}
    print(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}), flush=True)  # noqa: T201


def record(book: int, token: str) -> None:
    os.write(book, token.encode() + b"\n")
    os.fsync(book)


def call(book: int, id: object, params: dict[str, Any], folder: Path) -> None:
    token = params["arguments"]["token"]
    record(book, token)
    while params["name"] == "slow" and not (folder / "go").exists():
        select.select([], [], [], 0.02)
    answer(id, content=[{"type": "text", "text": token}])


def main(folder: Path) -> None:
    book = os.open(folder / f"calls.{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for line in sys.stdin:
        message = json.loads(line)
        method, id = message.get("method"), message.get("id")
        if method == "server/discover":
            answer(id, supportedVersions=["2026-07-28"], capabilities={"tools": {}}, ttlMs=0,
                   cacheScope="private", _meta=META)  # fmt: skip
        elif method == "tools/list":
            while (folder / "hang").exists():
                select.select([], [], [], 0.02)
            answer(id, tools=TOOLS)
        elif method == "tools/call":
            call(book, id, message["params"], folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
