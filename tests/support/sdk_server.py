"""A server on the public ``mcp`` SDK, which nobody here wrote: ``sdk_server.py stdio|http``.

Over HTTP it listens on a free port of 127.0.0.1 and prints the number as its first line.
"""

import socket
import sys

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel

server = MCPServer("sdk")


class Answer(BaseModel):
    ok: bool


@server.tool()
async def ask(ctx: Context) -> str:
    """Ask whoever calls; only clients of sessions can be asked like this."""
    said = await ctx.elicit("All right?", Answer)
    return said.action


@server.tool()
async def change(ctx: Context) -> str:
    """Say that something changed, and log it."""
    await ctx.notify_tools_changed()
    await ctx.notify_resource_updated("note://a")
    return "done"


@server.resource("note://a")
def note() -> str:
    return "a"


@server.tool()
async def count(to: int, ctx: Context) -> int:
    """Count, and report each step."""
    for step in range(1, to + 1):
        await ctx.report_progress(step, to, f"step {step}")
    return to


def main() -> None:
    if sys.argv[1] == "stdio":
        server.run("stdio")
        return
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)  # noqa: T201
        config = uvicorn.Config(server.streamable_http_app(), log_level="warning")
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
