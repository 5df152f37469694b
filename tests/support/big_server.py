"""A server on the public ``mcp`` SDK with 500 tools, itself listing them in pages of 150."""

import asyncio
from typing import Any

from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)

TOOLS = 500
PAGE = 150
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}}


async def list_tools(
    _: ServerRequestContext[Any], params: PaginatedRequestParams | None
) -> ListToolsResult:
    start = int(params.cursor or 0) if params else 0
    end = min(start + PAGE, TOOLS)
    tools = [
        Tool(name=f"tool-{n:03}", description=f"Repeats {n}. " + "x" * 200, input_schema=NUMBER)
        for n in range(start, end)
    ]
    return ListToolsResult(tools=tools, next_cursor=str(end) if end < TOOLS else None)


async def call_tool(_: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
    """The tool's name, ``n`` times, a line each."""
    times = int((params.arguments or {}).get("n", 1))
    text = "\n".join([params.name] * times)
    return CallToolResult(content=[TextContent(type="text", text=text)])


async def main() -> None:
    server = Server("big", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    asyncio.run(main())
