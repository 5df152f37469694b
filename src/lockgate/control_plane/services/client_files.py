"""Where MCP clients keep their configuration, and the servers it names."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from lockgate.control_plane.services.deployment import Machine
from lockgate.control_plane.services.files import read_text
from lockgate.control_plane.services.jsonc import JsoncInvalid, Node, parse
from lockgate.control_plane.services.refused import Refused

Client = Literal["claude-desktop", "claude-code", "cursor", "vscode"]
CLIENTS: tuple[Client, ...] = ("claude-desktop", "claude-code", "cursor", "vscode")
_GATE_PROGRAM = re.compile(r"lockgate(\.exe)?", re.I)
_MEMBERS: tuple[tuple[str, ...], ...] = (
    ("mcpServers",), ("servers",), ("mcp", "servers"), ("mcp.servers",), ("mcp", "mcpServers"),
)  # fmt: skip


class Entry(msgspec.Struct, frozen=True):
    """One server as a client's file describes it."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    url: str = ""
    headers: Mapping[str, str] = {}
    cwd: str = ""
    disabled: bool = False
    trouble: str = ""
    """Why it cannot be read; empty if it can."""

    @property
    def is_gate(self) -> bool:
        """It already goes through a Lockgate."""
        programs = (self.command, *self.args[:3])
        return "stdio" in self.args and any(
            _GATE_PROGRAM.fullmatch(Path(p.replace("\\", "/")).name) or p.startswith("lockgate.")
            for p in programs
        )

    def leads_to(self, gate: str) -> bool:
        """It goes through a Lockgate, or its URL is of the gate at ``gate``."""
        here, there = self.url.rstrip("/"), gate.rstrip("/")
        return self.is_gate or here == there or here.startswith(there + "/")


def place_of(client: Client, machine: Machine) -> Path:
    """The user's own configuration file of ``client`` on this machine."""
    if client == "claude-code":
        return machine.home / ".claude.json"
    if client == "cursor":
        return machine.home / ".cursor" / "mcp.json"
    settings = _settings_dir(machine)
    if client == "claude-desktop":
        return settings / "Claude" / "claude_desktop_config.json"
    return settings / "Code" / "User" / "mcp.json"


def project_place_of(client: Client, folder: Path) -> Path:
    """The file of one project. Raises ``Refused`` for clients that have none."""
    places = {
        "claude-code": ".mcp.json",
        "cursor": ".cursor/mcp.json",
        "vscode": ".vscode/mcp.json",
    }
    if client not in places:
        raise Refused(f"{client} has no configuration per project.", "Leave --project out.")
    return folder / places[client]


def read_entries(path: Path) -> tuple[Entry, ...]:
    """The servers that ``path`` names. Raises ``Refused`` when it cannot be read or names none."""
    text = read_text(path)
    try:
        root = parse(text)
    except JsoncInvalid as error:
        raise Refused(f"{path} is not JSON: {error}.", "Correct it there and try again.") from error
    servers = find_servers(root)
    if servers is None:
        raise Refused(f"{path} names no MCP servers.", "It needs a member mcpServers (Claude, "
                      "Cursor) or servers (VS Code).")  # fmt: skip
    return tuple(_entry(name, node.value) for name, node in servers.members.items())


def find_servers(root: Node) -> Node | None:
    """The object that maps server names to servers, wherever this client keeps it."""
    for path in _MEMBERS:
        node: Node | None = root
        for step in path:
            node = node.members.get(step) if node is not None else None
        if node is not None and isinstance(node.value, dict):
            return node
    return None


def _settings_dir(machine: Machine) -> Path:
    if machine.platform == "darwin":
        return machine.home / "Library" / "Application Support"
    if machine.platform == "win32":
        return Path(machine.environ.get("APPDATA") or machine.home / "AppData" / "Roaming")
    return Path(machine.environ.get("XDG_CONFIG_HOME") or machine.home / ".config")


def _entry(name: str, raw: Any) -> Entry:
    if not isinstance(raw, dict):
        return Entry(name, trouble="it is not an object")
    command, args = raw.get("command", ""), raw.get("args") or []
    url = raw.get("url") or raw.get("serverUrl") or ""
    env, headers = raw.get("env", {}), raw.get("headers", {})
    if isinstance(command, list):
        command, args = (command[0], [*command[1:], *args]) if command else ("", args)
    texts = [command, url, raw.get("cwd") or ""]
    if not all(isinstance(t, str) for t in texts) or not _all_text(args):
        return Entry(name, trouble="command, args, url or cwd is not text")
    if not (isinstance(env, dict) and isinstance(headers, dict)):
        return Entry(name, trouble="env or headers is not an object")
    trouble = "" if bool(command) != bool(url) else "it needs either a command or a url"
    if raw.get("type") == "sse":
        trouble = "it uses the old HTTP+SSE transport, which Lockgate does not speak"
    return Entry(
        name, command, tuple(args), _texts(env), url, _texts(headers), texts[2],
        raw.get("disabled") is True, trouble,
    )  # fmt: skip


def _all_text(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(v, str) for v in values)


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    # Clients take numbers and booleans here and pass them on as text.
    return {k: v if isinstance(v, str) else _plain(v) for k, v in values.items() if v is not None}


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
