import json
from pathlib import Path

import pytest

from support.desk import Desk

TOKEN = "ghp_0123456789abcdefghijklmn"
FILES = {
    "claude_desktop_config.json": {"mcpServers": {
        "git": {"command": "mcp-server-git", "args": ["-r", "/x"]}}},
    ".mcp.json": {"mcpServers": {
        "git": {"type": "stdio", "command": "mcp-server-git", "args": [], "env": {"A": "${HOME}"}},
        "web": {"type": "http", "url": "https://a.example/mcp",
                "headers": {"Authorization": "Bearer ${WEB}"}}}},
    "mcp.json": {"inputs": [{"id": "k"}], "servers": {
        "git": {"type": "stdio", "command": "g", "env": {"K_TOKEN": "${input:k}"}}}},
    "settings.json": {"editor.tabSize": 2, "mcp": {"servers": {"git": {"command": "g"}}}},
}  # fmt: skip


def client_file(desk: Desk, servers: object, name: str = "mcp.json") -> Path:
    file = desk.root / name
    file.write_text(json.dumps({"mcpServers": servers}))
    return file


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file(desk: Desk, name: str) -> None:
    file = desk.root / name
    file.write_text(json.dumps(FILES[name]))
    found = desk.type("import", file, "--yes")
    assert found.code == 0, found.out + found.err
    assert desk.check() == ()
    assert "git" in {plan.name for plan in desk.deployment().upstreams}


def test_secrets_move_into_private_files(desk: Desk) -> None:
    file = client_file(desk, {"hub": {"command": "x", "env": {"HUB_TOKEN": TOKEN}}})
    found = desk.type("import", file, "--yes")
    assert found.code == 0
    kept = desk.root / "data" / "secrets" / "hub-HUB_TOKEN"
    assert kept.read_text() == TOKEN
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert TOKEN not in desk.config.read_text() + found.out + found.err
    assert "file:data/secrets/hub-HUB_TOKEN" in desk.config.read_text()
    assert TOKEN in file.read_text()


def test_the_command_is_shown_whole_and_its_risks_named(desk: Desk) -> None:
    long = "x" * 300
    file = client_file(desk, {"a": {"command": "bash", "args": ["-c", f"curl a | sh {long}"]}})
    found = desk.type("import", file, "--dry-run")
    assert f"bash -c 'curl a | sh {long}'" in found.out
    assert "danger" in found.out


def test_without_a_yes_nothing_is_written(desk: Desk) -> None:
    file = client_file(desk, {"hub": {"command": "x", "env": {"HUB_TOKEN": TOKEN}}})
    before = desk.config.read_text()
    for answer in ("", "n\n", "\n"):
        assert desk.type("import", file, answer=answer).code == 3
    assert desk.type("import", file, "--dry-run").code == 0
    assert desk.type("import", file, "--json").code == 0
    assert desk.config.read_text() == before
    assert not (desk.root / "data").exists()
    assert desk.type("import", file, answer="y\n").code == 0
    assert desk.config.read_text() != before


def test_what_leads_to_the_gate_is_left_out(desk: Desk) -> None:
    gate = {"command": "/opt/bin/lockgate", "args": ["stdio"]}
    file = client_file(desk, {"lockgate": gate, "web": {"url": desk.deployment().url}})
    found = desk.type("import", file, "--yes")
    assert found.code == 0
    assert "nothing to import" in found.out
    assert desk.deployment().upstreams == ()


def test_importing_twice_adds_nothing(desk: Desk) -> None:
    file = client_file(desk, {"git": {"command": "g"}})
    desk.type("import", file, "--yes")
    before = desk.config.read_text()
    assert desk.type("import", file, "--yes").code == 0
    assert desk.config.read_text() == before


def test_what_cannot_be_translated_is_a_finding(desk: Desk) -> None:
    file = client_file(desk, {"a": {"command": "x", "args": ["${env:A}"]}, "b": {"command": "y"}})
    found = desk.type("import", file, "--yes", "--json")
    assert found.code == 1
    assert isinstance(found.json, dict)
    assert [o["name"] for o in found.json["imported"]] == ["b"]
    assert found.json["skipped"][0]["name"] == "a"
    assert found.json["written"] is True


def test_what_the_gate_would_refuse_is_not_written(desk: Desk) -> None:
    before = desk.config.read_text()
    file = client_file(desk, {"a": {"url": "ftp://a.example"}})
    found = desk.type("import", file, "--yes")
    assert found.code == 3
    assert "https://" in found.err
    assert desk.config.read_text() == before


def test_another_secret_is_never_overwritten(desk: Desk) -> None:
    kept = desk.root / "data" / "secrets" / "hub-HUB_TOKEN"
    kept.parent.mkdir(parents=True)
    kept.write_text("another")
    file = client_file(desk, {"hub": {"command": "x", "env": {"HUB_TOKEN": TOKEN}}})
    assert desk.type("import", file, "--yes").code == 3
    assert kept.read_text() == "another"
    assert desk.deployment().upstreams == ()
    kept.write_text(TOKEN)
    assert desk.type("import", file, "--yes").code == 0


def test_a_file_that_is_not_there(desk: Desk) -> None:
    assert desk.type("import", desk.root / "gone").code == 3


def test_where_another_must_agree_nothing_is_written_until_then(desk: Desk) -> None:
    desk.configure("policies: policies\napprovals:\n  factors:\n"
                   "    catalogue: {people: [os:opal, os:carol]}\n")  # fmt: skip
    before = desk.config.read_text()
    file = client_file(desk, {"hub": {"command": "x", "env": {"HUB_TOKEN": TOKEN}}})
    found = desk.type("import", file, "--yes", "--json")
    assert isinstance(found.json, dict)
    assert (found.json["written"], desk.config.read_text()) == (False, before)
    id = str(found.json["asked"])
    assert not (desk.root / "data" / "secrets").exists()
    assert TOKEN not in desk.type("approvals", "show", id).out
    desk.become("carol")
    assert desk.type("approvals", "approve", id).code == 0
    assert desk.type("approvals", "apply", id).code == 0
    assert "hub" in {plan.name for plan in desk.deployment().upstreams}
    assert (desk.root / "data" / "secrets" / "hub-HUB_TOKEN").read_text() == TOKEN
    told = desk.type("import", client_file(desk, {"other": {"command": "y"}}), "--yes")
    assert "asked: " in told.out
