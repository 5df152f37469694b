"""What each MCP client needs in its configuration to go through the gate.

The key is referenced, never written into the client's file: Claude Code and Cursor read an
environment variable, VS Code asks once and keeps it in the system's key store, and the stdio shim
reads a file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from lockgate.control_plane.services.client_files import Client, Entry, find_servers
from lockgate.control_plane.services.jsonc import JsoncInvalid, parse, put
from lockgate.control_plane.services.refused import Refused

Transport = Literal["stdio", "http"]
NAME = "lockgate"
KEY_VARIABLE = "LOCKGATE_KEY"
_INPUT = "lockgate-key"
DEFAULT_TRANSPORT: Mapping[Client, Transport] = {
    "claude-desktop": "stdio",
    "claude-code": "http",
    "cursor": "stdio",
    "vscode": "http",
}


class Wish(msgspec.Struct, frozen=True):
    """How the client is to reach the gate."""

    client: Client
    transport: Transport
    url: str
    program: tuple[str, ...]
    """How the client starts ``lockgate``; absolute, since applications have another PATH."""
    key_file: Path
    """Only for stdio."""
    has_key: bool = False
    """The key file is there."""
    login: bool = False
    """As the person who signs in, instead of under a key; stdio only."""


class Change(msgspec.Struct, frozen=True):
    """The client's file as it will be."""

    text: str
    bypassing: tuple[str, ...]
    """Servers the client still reaches directly."""
    steps: tuple[str, ...]
    """What the person does next."""


def entry_of(wish: Wish) -> dict[str, Any]:
    """The client's own form of "there is a server at this address"."""
    if wish.transport == "stdio":
        program, *first = wish.program
        shown = ["--login"] if wish.login else ["--key-file", str(wish.key_file)]
        args = [*first, "stdio", "--url", wish.url, *shown]
        entry: dict[str, Any] = {"command": program, "args": args}
        return {"type": "stdio", **entry} if wish.client == "vscode" else entry
    if wish.client == "claude-desktop":
        raise Refused("Claude Desktop's file takes only stdio servers.", "Leave --http out.")
    keys = {
        "claude-code": f"${{{KEY_VARIABLE}}}",
        "cursor": f"${{env:{KEY_VARIABLE}}}",
        "vscode": f"${{input:{_INPUT}}}",
    }
    headers = {"Authorization": f"Bearer {keys[wish.client]}"}
    entry = {"url": wish.url, "headers": headers}
    return entry if wish.client == "cursor" else {"type": "http", **entry}


def snippet(wish: Wish) -> dict[str, Any]:
    """What to paste where there is no file yet."""
    made: dict[str, Any] = {_member(wish.client): {NAME: entry_of(wish)}}
    if _asks(wish):
        made = {"inputs": [_question()], **made}
    return made


def change(text: str, wish: Wish, entries: tuple[Entry, ...], *, only: bool) -> Change:
    """The client's file with the gate in it; with ``only``, without any other server.

    Everything else keeps its bytes. Raises ``Refused`` when the file is not what that client reads.
    """
    try:
        path = _servers_path(text, wish.client)
        value = {NAME: entry_of(wish)}
        made = put(text, path, value) if only else put(text, (*path, NAME), value[NAME])
        if _asks(wish):
            made = _ask(made)
    except JsoncInvalid as error:
        raise Refused(
            f"The client's file cannot be edited: {error}.", "Correct it first."
        ) from error
    others = [e.name for e in entries if e.name != NAME and not e.leads_to(wish.url)]
    return Change(made, () if only else tuple(others), _steps(wish))


def _servers_path(text: str, client: Client) -> tuple[str, ...]:
    root = parse(text)
    if not isinstance(root.value, dict):
        raise JsoncInvalid("an object is needed here", text, root.start)
    member = _member(client)
    if member not in root.members and find_servers(root) is None:
        return (member,)
    if member in root.members and not isinstance(root.members[member].value, dict):
        raise JsoncInvalid(f"{member} must be an object", text, root.members[member].start)
    return (member,)


def _member(client: Client) -> str:
    return "servers" if client == "vscode" else "mcpServers"


def _asks(wish: Wish) -> bool:
    return wish.client == "vscode" and wish.transport == "http"


def _question() -> dict[str, Any]:
    return {"type": "promptString", "id": _INPUT, "description": "Lockgate key", "password": True}


def _ask(text: str) -> str:
    inputs = parse(text).value.get("inputs", [])
    if not isinstance(inputs, list):
        raise JsoncInvalid("inputs must be a list", text, 0)
    if any(isinstance(i, dict) and i.get("id") == _INPUT for i in inputs):
        return text
    return put(text, ("inputs",), [*inputs, _question()])


def _steps(wish: Wish) -> tuple[str, ...]:
    restart = {"claude-desktop": "Quit Claude Desktop wholly and start it again.",
               "claude-code": "Start Claude Code again; /mcp shows the connection.",
               "cursor": "Cursor picks it up by itself; Settings, MCP shows the connection.",
               "vscode": "Run the command \"MCP: List Servers\" and start lockgate."}  # fmt: skip
    if wish.login:
        sign_in = f"lockgate login --url {wish.url} --client-id ID (the operator knows it)"
        return f"Sign in, once: {sign_in}", restart[wish.client]
    make = "lockgate keys create --kind personal --owner YOU --role developer --expires 90d"
    if wish.transport == "stdio":
        make += f" --key-file {wish.key_file}"
        key = f"The key is read from {wish.key_file}, which only you may read (chmod 600)."
    elif wish.client == "vscode":
        key = "VS Code asks for your key once and keeps it in the system's key store."
    else:
        key = f"Set {KEY_VARIABLE} to your key in the environment the client starts from."
    first = () if wish.has_key else (f"No key yet? {make}",)
    return (*first, key, restart[wish.client])
