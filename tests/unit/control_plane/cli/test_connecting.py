import json
from pathlib import Path

import pytest

from support.desk import Desk


def written(desk: Desk, client: str, *words: str | Path) -> Path:
    found = desk.type("connect", client, "--write", "--json", *words)
    assert found.code == 0, found.err
    assert isinstance(found.json, dict)
    return Path(found.json["file"])


@pytest.mark.parametrize("client", ["claude-desktop", "claude-code", "cursor", "vscode"])
def test_what_is_written_leads_to_the_gate(desk: Desk, client: str) -> None:
    file = written(desk, client)
    assert file.is_relative_to(desk.machine.home)
    assert desk.deployment().url in file.read_text()
    found = desk.type("doctor", "--json").json
    assert isinstance(found, dict)
    (check,) = [c for c in found["checks"] if c["name"] == f"client {client}"]
    assert check["grade"] == "ok"


def test_printing_changes_nothing(desk: Desk) -> None:
    found = desk.type("connect", "claude-desktop")
    assert found.code == 0
    assert '"--key-file"' in found.out
    assert "Next:" in found.out
    assert not any(desk.machine.home.iterdir())


def test_who_has_a_key_is_not_told_how_to_make_one(desk: Desk) -> None:
    asked = ("connect", "cursor", "--key-file", "my.key")
    assert "No key yet?" in desk.type(*asked).out
    (desk.root / "my.key").write_text("a key")
    assert "No key yet?" not in desk.type(*asked).out
    assert "No key yet?" in desk.type(*asked, "--http").out


def test_a_backup_is_made_and_the_others_are_kept_and_named(desk: Desk) -> None:
    file = desk.machine.home / ".cursor" / "mcp.json"
    file.parent.mkdir()
    before = '{\n  // mine\n  "mcpServers": {"git": {"command": "g"}},\n}\n'
    file.write_text(before)
    found = desk.type("connect", "cursor", "--write")
    assert "past the gate: git" in found.out
    (backup,) = file.parent.glob("*.bak")
    assert backup.name == "mcp.json.20270115T080000Z.bak"
    assert backup.read_text() == before
    assert "// mine" in file.read_text()
    assert '"git": {"command": "g"}' in file.read_text()


def test_only(desk: Desk) -> None:
    file = desk.root / ".mcp.json"
    file.write_text('{"mcpServers": {"git": {"command": "g"}}}')
    written(desk, "claude-code", "--project", desk.root, "--only")
    assert set(json.loads(file.read_text())["mcpServers"]) == {"lockgate"}


def test_writing_twice_makes_no_second_backup(desk: Desk) -> None:
    file = written(desk, "cursor")
    written(desk, "cursor")
    assert list(file.parent.glob("*.bak")) == []


def test_options(desk: Desk) -> None:
    file = written(desk, "cursor", "--http", "--url", "https://gate.example/mcp")
    entry = json.loads(file.read_text())["mcpServers"]["lockgate"]
    assert entry["url"] == "https://gate.example/mcp"
    file = written(desk, "cursor", "--stdio", "--key-file", "my.key")
    entry = json.loads(file.read_text())["mcpServers"]["lockgate"]
    assert entry["args"][-1] == str(desk.root / "my.key")


def test_the_gate_need_not_be_on_this_machine(desk: Desk) -> None:
    desk.config.unlink()
    assert desk.type("connect", "cursor", "--url", "https://gate.example/mcp").code == 0
    assert desk.type("connect", "cursor").code == 3


def test_refusals(desk: Desk) -> None:
    assert desk.type("connect", "emacs").code == 2
    assert desk.type("connect", "claude-desktop", "--http").code == 3
    assert desk.type("connect", "claude-desktop", "--project", desk.root).code == 3
    file = desk.machine.home / ".claude.json"
    file.write_text("{ broken")
    assert desk.type("connect", "claude-code", "--write").code == 3
    assert file.read_text() == "{ broken"


def test_by_login_no_key_is_in_it(desk: Desk) -> None:
    text = written(desk, "claude-code", "--login", "--url", "https://gate.example/mcp").read_text()
    assert '"--login"' in text
    assert "key" not in text
    for words in (("--http",), ("--key-file", "a.key")):
        assert desk.type("connect", "cursor", "--login", *words).code == 2
