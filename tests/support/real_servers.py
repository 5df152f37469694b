"""MCP servers that others wrote, and unmodified clients of the public SDK before a real gateway."""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import METHOD_NOT_FOUND, CallToolResult, TextContent

from lockgate.app.demo.folder import run_git
from lockgate.app.demo.stage import http_client
from lockgate.app.demo.upstreams import find_upstreams
from lockgate.app.ingress_stdio import DEFAULT_URL
from support.gateway import ROOT, Gateway, python

MODES = ("legacy", "2026-07-28", "auto")
SECONDS = 60.0
"""Six cold programs on two cores that others use too."""
HOW = (
    "run `make test`, or `sh scripts/setup_node.sh` and put .node/bin and .node/node_modules/.bin "
    "on the PATH"
)
SUPPORT = ROOT / "tests" / "support"
FILE = "Monday: carol\n"


class House(Gateway):
    """A gateway before every real server, and three of ours for what those do not do."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.real = real_servers(root)
        big = {"command": sys.executable, "args": [str(SUPPORT / "big_server.py")]}
        parrots = {f"parrot-{era}": python(str(SUPPORT / "parrot.py"), era)
                   for era in ("legacy", "modern")}  # fmt: skip
        upstreams = {**self.real, "big": big, **parrots}
        super().__init__(root / "gate", upstreams, limits={"burst": 10_000})
        for who in ("alice", "bob"):
            self.key(who)


def real_servers(root: Path) -> dict[str, Any]:
    """All servers of the demo, as upstreams of ``lockgate.yaml``; what they serve is in ``root``.
    A server that is not installed is a failure: this is the test that real servers work."""
    present, missing = find_upstreams(root)
    assert not missing, "; ".join(f"{one.name}: {one.why}" for one in missing) + f" ({HOW})"
    _fill(root)
    return {
        one.name: {"command": one.argv[0], "args": list(one.argv[1:]), "env": dict(one.env)}
        for one in present
    }


def _fill(root: Path) -> None:
    (root / "files").mkdir(parents=True)
    (root / "files" / "rota.txt").write_text(FILE)
    place = root / "repository"
    place.mkdir()
    (place / "rota.txt").write_text(FILE)
    run_git(place, "init", "--quiet")
    run_git(place, "add", "rota.txt")
    run_git(place, "commit", "--quiet", "--message", "Add the rota")


def program(name: str) -> str:
    """A program from npm that no upstream is."""
    found = shutil.which(name)
    assert found, f"{name} is not on the PATH: {HOW}"
    return found


@asynccontextmanager
async def client_of(
    gate: Gateway, way: str, mode: str, upstream: str = "", who: str = "alice"
) -> AsyncIterator[Client]:
    """``way``: ``http``, or ``stdio`` for ``lockgate stdio``. ``upstream``: its own endpoint."""
    url = f"{gate.url}/{upstream}" if upstream else gate.url
    async with AsyncExitStack() as stack:
        if way == "http":
            headers = {"Authorization": f"Bearer {gate.key(who)}"}
            http = await stack.enter_async_context(http_client(headers))
            transport = streamable_http_client(url, http_client=http)
        else:
            log = stack.enter_context((gate.folder / "shim.log").open("a"))
            transport = stdio_client(shim(url, gate.key_file(who)), log)
        client = Client(transport, mode=mode, cache=None, read_timeout_seconds=SECONDS)
        yield await stack.enter_async_context(client)


def shim(url: str, key_file: Path) -> StdioServerParameters:
    """``lockgate stdio`` as a client's configuration starts it."""
    assert url != DEFAULT_URL
    args = ["-m", "lockgate.app.main", "stdio", "--url", url, "--key-file", str(key_file)]
    return StdioServerParameters(command=sys.executable, args=args, env=_python_path())


@asynccontextmanager
async def client_past_the_gate(
    settings: Mapping[str, Any], log: Path, mode: str = "auto"
) -> AsyncIterator[Client]:
    """Straight at the server, to see what it says itself."""
    env = {**_python_path(), **settings["env"]}
    server = StdioServerParameters(command=settings["command"], args=settings["args"], env=env)
    with log.open("a") as errors:
        transport = stdio_client(server, errors)
        async with Client(transport, mode=mode, cache=None, read_timeout_seconds=SECONDS) as client:
            yield client


def said(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


async def every_tool(client: Client) -> dict[str, Any]:
    """All pages, as a client collects them. No upstream may be missing."""
    found: dict[str, Any] = {}
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        assert not (page.meta or {}).get("lockgate/unavailable")
        found |= {tool.name: tool.model_dump() for tool in page.tools}
        cursor = page.next_cursor
        if cursor is None:
            return found


async def listed(client: Client, kind: str) -> list[Any]:
    """``resources``, ``resource_templates`` or ``prompts``; none where the server has no such
    method."""
    try:
        page = await getattr(client, f"list_{kind}")()
    except MCPError as error:
        if error.code != METHOD_NOT_FOUND:
            raise
        return []
    items = [item.model_dump() for item in getattr(page, kind)]
    for item in items:  # the gate's own remark, beside what the server says
        marks = {k: v for k, v in (item["meta"] or {}).items() if k != "lockgate/conditional"}
        item["meta"] = marks or None
    return items


async def error_of(act: Callable[[], Awaitable[object]]) -> MCPError:
    """The JSON-RPC error that it ends in."""
    try:
        await act()
    except MCPError as error:
        return error
    raise AssertionError("no error")


def _python_path() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
