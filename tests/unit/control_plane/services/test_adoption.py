from pathlib import Path

import pytest

from lockgate.control_plane.services.adoption import (
    Adopted,
    SecretFile,
    Skipped,
    Surroundings,
    adopt,
    workspace_of,
)
from lockgate.control_plane.services.client_files import Entry
from lockgate.control_plane.services.deployment import UpstreamPlan

AROUND = Surroundings("/home/a", "/work", "data/secrets", "http://127.0.0.1:1/mcp")
TOKEN = "ghp_0123456789abcdefghijklmn"


def take(*entries: Entry, existing: tuple[UpstreamPlan, ...] = ()) -> tuple[Adopted, ...]:
    adopted, skipped = adopt(entries, existing, AROUND)
    assert not skipped
    return adopted


def left(entry: Entry, *existing: UpstreamPlan) -> Skipped:
    adopted, (skipped,) = adopt([entry], existing, AROUND)
    assert not adopted
    return skipped


def test_a_program() -> None:
    (one,) = take(Entry("git", "mcp-server-git", ("-r", "/x"), {"LANG": "C"}, cwd="/x"))
    assert one.plan == UpstreamPlan(
        "git", ("mcp-server-git", "-r", "/x"), "", {"LANG": "C"}, {}, "/x"
    )
    assert one.secrets == ()


def test_inline_secrets_move_into_files() -> None:
    (one,) = take(Entry("git hub", "x", env={"GITHUB_TOKEN": TOKEN}))
    assert one.plan.env == {"GITHUB_TOKEN": "file:data/secrets/git-hub-GITHUB_TOKEN"}
    assert one.secrets == (SecretFile("git-hub-GITHUB_TOKEN", TOKEN),)
    assert TOKEN not in repr(one)


def test_a_scheme_stays_in_front_of_the_reference() -> None:
    (one,) = take(Entry("a", url="https://a.example", headers={"Authorization": f"Bearer {TOKEN}"}))
    assert one.plan.headers == {"Authorization": "Bearer file:data/secrets/a-Authorization"}
    assert one.secrets[0].value == TOKEN


def test_a_url_with_a_secret_becomes_a_reference() -> None:
    (one,) = take(Entry("a", url="https://a.example/mcp?api_key=abcdef"))
    assert one.plan.url == "file:data/secrets/a-url"
    assert one.secrets[0].value.endswith("abcdef")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("${env:X}", "env:X"), ("${X}", "env:X"), ("${X:-y}", "env:X"),
     ("Bearer ${X}", "Bearer env:X"),
     ("${userHome}/f", "/home/a/f"), ("${workspaceFolder}", "/work"),
     ("file:./dev.db", "text:file:./dev.db"), ("env:whatever", "text:env:whatever")],
)  # fmt: skip
def test_variables_of_the_client(text: str, expected: str) -> None:
    (one,) = take(Entry("a", "x", env={"V": text}))
    assert one.plan.env == {"V": expected}


def test_an_input_becomes_a_file_the_operator_fills() -> None:
    (one,) = take(Entry("a", "x", env={"V": "${input:key}"}))
    assert one.plan.env == {"V": "file:data/secrets/a-V"}
    assert one.secrets == (SecretFile("a-V", ""),)


@pytest.mark.parametrize(
    "entry",
    [
        Entry("a", "x", ("${env:X}",)),
        Entry("a", "x", env={"V": "pre${env:X}"}),
        Entry("a", "x", env={"V": "${command:y}"}),
        Entry("a", trouble="broken"),
        Entry("a", "x", disabled=True),
        Entry("a", "lockgate", ("stdio",)),
        Entry("a", url="http://127.0.0.1:1/mcp/git"),
    ],
)
def test_what_is_skipped_says_why(entry: Entry) -> None:
    assert left(entry).why


def test_what_is_there_already_is_not_added_again() -> None:
    there = UpstreamPlan("git", ("x", "y"))
    assert "already: git" in left(Entry("other", "x", ("y",)), there).why
    assert (
        "already: web"
        in left(Entry("w", url="https://a"), UpstreamPlan("web", url="https://a")).why
    )


def test_names_are_made_to_fit_and_clashes_are_told() -> None:
    names = ["Git Hub!", "git_hub", "日本", "n" * 40, "n" * 50]
    entries = [Entry(name, name) for name in names]
    found = take(*entries, existing=(UpstreamPlan("server", ("z",)),))
    names = [one.plan.name for one in found]
    assert names == ["git-hub", "git-hub-2", "server-2", "n" * 32, "n" * 30 + "-2"]
    assert "another upstream has that name" in found[1].notes[0]


def test_risks_are_found() -> None:
    (program, remote) = take(Entry("a", "bash"), Entry("b", url="http://a.example/mcp"))
    assert program.risks
    assert remote.risks


def test_the_workspace_of_a_file() -> None:
    assert workspace_of(Path("/p/.vscode/mcp.json")) == Path("/p")
    assert workspace_of(Path("/p/.mcp.json")) == Path("/p")
