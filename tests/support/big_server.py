"""A server on the public ``mcp`` SDK with 500 tools; two of its words are about size.

Its own list is one page: what comes to a client in pages, the gateway has cut.
"""

from mcp.server.mcpserver import MCPServer

TOOLS = 500
server = MCPServer("big", log_level="WARNING")


def large(lines: int) -> str:
    """As many lines of forty characters."""
    return "\n".join(f"{n:039}" for n in range(lines))


def numbered(number: int) -> None:
    def tool() -> str:
        return f"number {number}"

    server.add_tool(tool, name=f"tool-{number:03}", description=f"Says {number}. " + "x" * 200)


if __name__ == "__main__":
    server.add_tool(large)
    for number in range(TOOLS - 1):
        numbered(number)
    server.run("stdio")
