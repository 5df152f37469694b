import json
import re
from pathlib import Path

import msgspec
import pytest

from lockgate.control_plane.services.client_files import CLIENTS, Client, Entry
from lockgate.control_plane.services.connect import (
    DEFAULT_TRANSPORT,
    Transport,
    Wish,
    change,
    entry_of,
    snippet,
)
from lockgate.control_plane.services.jsonc import parse
from lockgate.control_plane.services.refused import Refused
from support.gateway import ROOT

URL = "http://127.0.0.1:8765/mcp"


def wish(client: Client, transport: Transport) -> Wish:
    return Wish(client, transport, URL, ("/opt/lockgate",), Path("/home/a/.lockgate/key"))


def test_the_shim_is_started_with_a_key_file() -> None:
    assert entry_of(wish("claude-desktop", "stdio")) == {
        "command": "/opt/lockgate",
        "args": ["stdio", "--url", URL, "--key-file", "/home/a/.lockgate/key"],
    }
    assert entry_of(wish("vscode", "stdio"))["type"] == "stdio"


@pytest.mark.parametrize(
    ("client", "key"),
    [("claude-code", "Bearer ${LOCKGATE_KEY}"), ("cursor", "Bearer ${env:LOCKGATE_KEY}"),
     ("vscode", "Bearer ${input:lockgate-key}")],
)  # fmt: skip
def test_over_http_the_key_is_referred_to(client: Client, key: str) -> None:
    entry = entry_of(wish(client, "http"))
    assert entry["headers"] == {"Authorization": key}
    assert entry["url"] == URL


def test_claude_desktop_has_no_http() -> None:
    with pytest.raises(Refused):
        entry_of(wish("claude-desktop", "http"))


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_has_a_way(client: Client) -> None:
    made = change("", wish(client, DEFAULT_TRANSPORT[client]), (), only=False)
    assert json.loads(made.text) == snippet(wish(client, DEFAULT_TRANSPORT[client]))
    assert made.steps


def test_other_entries_keep_their_bytes_and_are_named() -> None:
    text = '{\n  "theme": "dark", // mine\n  "mcpServers": {\n    "git": {"command": "g"}\n  }\n}\n'
    entries = (Entry("git", "g"), Entry("old", "lockgate", ("stdio",)), Entry("lockgate", "x"))
    made = change(text, wish("cursor", "stdio"), entries, only=False)
    assert made.text.startswith(text[: text.index('"git"')] + '"git": {"command": "g"},\n')
    assert "// mine" in made.text
    assert set(parse(made.text).value["mcpServers"]) == {"git", "lockgate"}
    assert made.bypassing == ("git",)


def test_only_takes_the_others_out() -> None:
    text = '{"theme": 1, "mcpServers": {"git": {"command": "g"}}}'
    made = change(text, wish("cursor", "stdio"), (Entry("git", "g"),), only=True)
    assert set(json.loads(made.text)) == {"theme", "mcpServers"}
    assert set(json.loads(made.text)["mcpServers"]) == {"lockgate"}
    assert made.bypassing == ()


def test_connecting_twice_changes_nothing_more() -> None:
    once = change("", wish("vscode", "http"), (), only=False).text
    assert change(once, wish("vscode", "http"), (), only=False).text == once


def test_vscode_keeps_its_other_inputs() -> None:
    text = '{"inputs": [{"id": "other"}], "servers": {}}'
    made = json.loads(change(text, wish("vscode", "http"), (), only=False).text)
    assert [i["id"] for i in made["inputs"]] == ["other", "lockgate-key"]


@pytest.mark.parametrize("text", ["[]", "{", '{"mcpServers": 3}'])
def test_a_file_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        change(text, wish("cursor", "stdio"), (), only=False)


def test_inputs_of_another_kind_are_refused() -> None:
    with pytest.raises(Refused):
        change('{"inputs": 3}', wish("vscode", "http"), (), only=False)


@pytest.mark.parametrize("client", CLIENTS)
def test_by_login_the_shim_shows_the_person_and_no_key(client: Client) -> None:
    wanted = msgspec.structs.replace(wish(client, "stdio"), login=True)
    entry = entry_of(wanted)
    assert entry["args"] == ["stdio", "--url", URL, "--login"]
    steps = change("{}", wanted, (), only=False).steps
    assert f"lockgate login --url {URL}" in steps[0]
    assert len(steps) == 2, "no key is made"


def test_the_documents_say_of_each_client_what_it_can_prove() -> None:
    text = (ROOT / "docs" / "clients.md").read_text()
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    head, _, *clients = rows
    assert head == ["Client", "API key", "OAuth: the person", "DPoP", "mTLS", "MFA"]
    assert {len(row) for row in clients} == {len(head)}
    named = " ".join(row[0] for row in clients)
    for client in ("Claude Desktop", "Claude Code", "Cursor", "VS Code", "claude.ai", "ChatGPT"):
        assert client in named
    words = ("tested", "documented", "no", "not known", "yes", "with OAuth")
    assert all(cell.startswith(words) for row in clients for cell in row[1:])
    proofs = re.findall(r"`(tests/[^`]+)`", text)
    assert proofs
    assert all((ROOT / proof).is_file() for proof in proofs)
