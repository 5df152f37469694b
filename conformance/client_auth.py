"""What the suite's ``auth`` scenarios ask of a gateway's operator, and of a person."""

import asyncio
import json
import os
import re
import sys
from typing import Any

from mcp import Client
from mcp.shared.exceptions import MCPError

from support.connect_browser import ConnectBrowser
from support.gateway import Gateway

AUTH = "auth/"
_ROUNDS = 3
"""How often a person connects before they give up: first, and for more scopes."""
_PORTS = range(32_768, 61_000)
"""The suite's servers listen at any of them, which nobody knows before."""
_INTERNAL = [f"http://localhost:{port}" for port in _PORTS]


def configured(gate: Gateway, scenario: str) -> dict[str, Any]:
    """The upstream's ``credential``, and what it refers to in the gateway's environment."""
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    client: dict[str, Any] = {}
    for name, said in (("secret", "client_secret"), ("private_key", "private_key_pem")):
        if said in context:
            gate.environment[f"SUITE_{name.upper()}"] = context[said]
            client[name] = f"env:SUITE_{name.upper()}"
    if client or "client_id" in context:
        client["id"] = context["client_id"]
    mode = "client_credentials" if "client-credentials" in scenario else "account"
    return {"mode": mode, "client": client}


def reach() -> dict[str, Any]:
    return {"internal": _INTERNAL}


async def use(client: Client) -> None:
    """List and call every tool, and connect whenever that is asked for."""
    for _ in range(_ROUNDS):
        told = await _told(client)
        if not told:
            return
        found = re.search(r"<(http[^>]+)>", told)
        if found is None:
            print(f"refused: {told}", file=sys.stderr)
            return
        page = await asyncio.to_thread(ConnectBrowser().connect, found[1], "anybody")
        print(f"connected: {page.status} {page.text[-400:]}", file=sys.stderr)


async def _told(client: Client) -> str:
    """What the gateway refuses with; empty where everything was done."""
    try:
        tools = (await client.list_tools()).tools
        for tool in tools:
            said = await client.call_tool(tool.name, {})
            if said.is_error:
                return str(said.content)
    except MCPError as error:
        return f"{error} {error.error.data}"
    return ""
