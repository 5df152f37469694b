"""Servers that answer ``initialize`` with 2024-11-05, alone and behind a gateway."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mcp import Client

from support.gateway import Gateway
from support.real_servers import MODES, client_of, client_past_the_gate

OLDEST = "2024-11-05"
Work = Callable[[Client], Awaitable[None]]


async def serves_every_era(folder: Path, server: dict[str, Any], work: Work) -> None:
    """``work`` succeeds for clients of either era, over HTTP and through ``lockgate stdio``, who
    find the tools that the server lists itself."""
    # Asked for `server/discover` first, as a newer client does, some of them end.
    async with client_past_the_gate(server, folder / "direct.log", "legacy") as direct:
        assert direct.protocol_version == OLDEST
        expected = (await direct.list_tools()).tools
        assert expected
    gate = Gateway(folder / "gate", {"old": server})
    gate.key("alice")
    with gate:
        for way in ("http", "stdio"):
            for mode in MODES:
                async with client_of(gate, way, mode, "old") as client:
                    assert (await client.list_tools()).tools == expected
                    await work(client)
