from pathlib import Path

import pytest

from lockgate.control_plane.services.client_files import (
    Client,
    Entry,
    place_of,
    project_place_of,
    read_entries,
)
from lockgate.control_plane.services.deployment import Machine
from lockgate.control_plane.services.refused import Refused


def machine(platform: str, **environ: str) -> Machine:
    return Machine(Path("/home/a"), Path("/work"), environ, platform, "a")


@pytest.mark.parametrize(
    ("client", "platform", "expected"),
    [
        ("claude-desktop", "darwin",
         "/home/a/Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", "linux", "/home/a/.config/Claude/claude_desktop_config.json"),
        ("vscode", "darwin", "/home/a/Library/Application Support/Code/User/mcp.json"),
        ("vscode", "linux", "/home/a/.config/Code/User/mcp.json"),
        ("cursor", "linux", "/home/a/.cursor/mcp.json"),
        ("claude-code", "darwin", "/home/a/.claude.json"),
        ("vscode", "win32", "/home/a/AppData/Roaming/Code/User/mcp.json"),
    ],
)  # fmt: skip
def test_places(client: Client, platform: str, expected: str) -> None:
    assert str(place_of(client, machine(platform))) == expected


def test_places_follow_the_environment() -> None:
    xdg = place_of("vscode", machine("linux", XDG_CONFIG_HOME="/x"))
    assert str(xdg) == "/x/Code/User/mcp.json"
    roaming = place_of("claude-desktop", machine("win32", APPDATA="/r"))
    assert str(roaming) == "/r/Claude/claude_desktop_config.json"


def test_project_places() -> None:
    assert project_place_of("claude-code", Path("/p")) == Path("/p/.mcp.json")
    assert project_place_of("vscode", Path("/p")) == Path("/p/.vscode/mcp.json")
    with pytest.raises(Refused):
        project_place_of("claude-desktop", Path("/p"))


def read(tmp_path: Path, text: str) -> tuple[Entry, ...]:
    file = tmp_path / "mcp.json"
    file.write_text(text)
    return read_entries(file)


@pytest.mark.parametrize(
    "text",
    ['{"mcpServers": {"a": {"command": "x", "args": ["y"]}}}',
     '{"servers": {"a": {"type": "stdio", "command": "x", "args": ["y"]}}, "inputs": []}',
     '{"mcp": {"servers": {"a": {"command": "x", "args": ["y"]}}}}',
     '{"editor.x": 1, "mcp.servers": {"a": {"command": ["x", "y"]}}, // c\n}'],
)  # fmt: skip
def test_every_shape(tmp_path: Path, text: str) -> None:
    (entry,) = read(tmp_path, text)
    assert (entry.name, entry.command, entry.args, entry.trouble) == ("a", "x", ("y",), "")


def test_values_become_text(tmp_path: Path) -> None:
    (entry,) = read(
        tmp_path, '{"servers": {"a": {"command": "x", "env": {"A": 1, "B": true, "C": null}}}}'
    )
    assert entry.env == {"A": "1", "B": "true"}


@pytest.mark.parametrize(
    "raw",
    ['"x"', "{}", '{"command": 1}', '{"command": "x", "url": "y"}', '{"command": "x", "args": "y"}',
     '{"command": "x", "env": []}', '{"type": "sse", "url": "https://a"}', '{"command": []}'],
)  # fmt: skip
def test_what_cannot_be_read_says_so(tmp_path: Path, raw: str) -> None:
    (entry,) = read(tmp_path, f'{{"servers": {{"a": {raw}}}}}')
    assert entry.trouble


@pytest.mark.parametrize("text", ["{}", "[]", '{"servers": []}', "{", "3"])
def test_files_without_servers_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Refused):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (Entry("g", "/opt/bin/lockgate", ("stdio", "--url", "u")), True),
        (Entry("g", "lockgate.exe", ("stdio",)), True),
        (Entry("g", "python", ("-m", "lockgate.app.main", "stdio")), True),
        (Entry("g", "uvx", ("lockgate", "stdio")), True),
        (Entry("g", url="http://127.0.0.1:1/mcp"), True),
        (Entry("g", url="http://127.0.0.1:1/mcp/git"), True),
        (Entry("g", url="http://127.0.0.1:1/mcphost"), False),
        (Entry("g", "npx", ("lockgate-not", "stdio")), False),
        (Entry("g", "lockgate"), False),
        (Entry("g", url="https://b.example/mcp"), False),
    ],
)
def test_what_leads_to_the_gate(entry: Entry, expected: bool) -> None:
    assert entry.leads_to("http://127.0.0.1:1/mcp") is expected
