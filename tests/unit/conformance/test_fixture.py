"""The fixture over stdio; over HTTP every conformance run meets it."""

from pathlib import Path

import pytest
from mcp.shared.exceptions import MCPError

from support.bridge import stdio_fixture
from support.real_servers import client_past_the_gate, said

LEGACY, MODERN = "2025-11-25", "2026-07-28"


@pytest.mark.parametrize(
    ("era", "mode", "version"),
    [
        ("both", "legacy", LEGACY),
        ("both", "auto", MODERN),
        ("legacy", "auto", LEGACY),
        ("modern", "auto", MODERN),
    ],
)
async def test_over_stdio_it_speaks_the_eras_that_it_was_told(
    tmp_path: Path, era: str, mode: str, version: str
) -> None:
    async with client_past_the_gate(stdio_fixture(era), tmp_path / "log", mode) as client:
        assert client.protocol_version == version
        assert "simple text" in said(await client.call_tool("test_simple_text"))


@pytest.mark.parametrize(("era", "mode"), [("legacy", MODERN), ("modern", "legacy")])
async def test_over_stdio_it_refuses_the_other_era(tmp_path: Path, era: str, mode: str) -> None:
    with pytest.RaisesGroup(MCPError, allow_unwrapped=True, flatten_subgroups=True):
        async with client_past_the_gate(stdio_fixture(era), tmp_path / "log", mode) as client:
            await client.list_tools()
