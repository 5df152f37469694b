"""The MCP Inspector's command line, which others wrote, against a real gateway."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from support.gateway import Gateway
from support.real_servers import program, real_servers

pytestmark = [pytest.mark.e2e, pytest.mark.node]
SECONDS = 60
IS_ERROR, NO_ACCESS = 5, 3
"""Exit codes of the Inspector."""
TAKEN = ("time", "everything")


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    root = tmp_path_factory.mktemp("inspected")
    found = real_servers(root)
    gateway = Gateway(root / "gate", {name: found[name] for name in TAKEN})
    gateway.key("alice")
    with gateway:
        yield gateway


def inspect(
    gate: Gateway, method: str, *more: str, key: str = ""
) -> "subprocess.CompletedProcess[str]":
    """``more``: further options of the Inspector."""
    env = {"PATH": os.environ["PATH"], "HOME": str(gate.folder), "CI": "1"}
    command = [
        program("mcp-inspector"), "--cli", gate.url, "--transport", "http", "--format", "json",
        "--header", f"Authorization: Bearer {key or gate.key('alice')}", "--method", method, *more,
    ]  # fmt: skip
    return subprocess.run(
        command, env=env, cwd=gate.folder, capture_output=True, text=True, timeout=SECONDS,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def told(gate: Gateway, method: str, *more: str) -> dict[str, Any]:
    done = inspect(gate, method, *more)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["result"]
    return found


def test_the_inspector_lists_calls_and_reads(gate: Gateway) -> None:
    tools = {tool["name"] for tool in told(gate, "tools/list")["tools"]}
    assert {"time__get_current_time", "everything__echo"} <= tools
    sums = ("--tool-name", "everything__get-sum", "--tool-arg", "a=2", "b=40")
    assert "42" in told(gate, "tools/call", *sums)["content"][0]["text"]
    prompts = {one["name"] for one in told(gate, "prompts/list")["prompts"]}
    assert "everything__simple-prompt" in prompts
    resources = {one["name"]: one["uri"] for one in told(gate, "resources/list")["resources"]}
    uri = resources["architecture.md"]
    assert uri.startswith("lockgate+everything:")
    (contents,) = told(gate, "resources/read", "--uri", uri)["contents"]
    assert (contents["uri"], bool(contents["text"])) == (uri, True)


def test_refusals_are_clean_failures(gate: Gateway) -> None:
    done = inspect(gate, "tools/call", "--tool-name", "everything__get-sum", "--tool-arg", "a=2")
    assert done.returncode == IS_ERROR
    result = json.loads(done.stdout)["result"]
    assert result["isError"]
    assert result["_meta"]["lockgate/reason"] == "schema.invalid"
    key = gate.key("alice")
    done = inspect(gate, "tools/list", key=key[:-1] + ("a" if key[-1] != "a" else "b"))
    assert done.returncode == NO_ACCESS
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] == "auth_required"
    assert gate.found(lambda g: g.rows(kind="auth.refused"), 30)
