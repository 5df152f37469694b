"""FastMCP's proxy, run in FastMCP's own environment: ``URL PORT shared|own``."""

import asyncio
import sys

from fastmcp import Client
from fastmcp.server import create_proxy


async def main() -> None:
    url, port, way = sys.argv[1:4]
    said = {"transport": "http", "host": "127.0.0.1", "port": int(port), "log_level": "error"}
    if way == "own":
        await create_proxy(url, name="proxy").run_async(**said, show_banner=False)
        return
    async with Client(url) as client:
        await create_proxy(client, name="proxy").run_async(**said, show_banner=False)


if __name__ == "__main__":
    asyncio.run(main())
