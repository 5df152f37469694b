"""``lockgate approvals approve`` where somebody sits: they see what they say yes to first."""

import asyncio
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from support.client import McpClient, http_client
from support.gateway import Gateway, child

pytestmark = pytest.mark.e2e

POISON = "\u202egpj.exe \x9b2J"


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gateway]:
    made = Gateway(tmp_path, {"echo": child("modern", tools={"echo": {"hold": "owner"}})})
    key = made.key("alice")
    async with made:
        async with http_client() as http:
            client = McpClient(http, f"{made.url}/echo", key)
            await client.call("echo", {"text": POISON})
        yield made


def waiting(gate: Gateway) -> list[str]:
    found: Any = orjson.loads(gate.cli("approvals", "list", "--json"))
    return [one["id"] for one in found if one["state"] == "pending"]


def at_terminal(gate: Gateway, answer: bytes, *words: str) -> tuple[int, str]:
    """Exit code, and all that the terminal was sent."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "lockgate.app.main", "-c", str(gate.config), *words],
        stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
    ) as running:  # fmt: skip
        os.close(theirs)
        os.write(ours, answer)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # Linux says so when the other side is closed
            pass
        os.close(ours)
        return running.wait(60), shown.decode()


@pytest.mark.parametrize(("answer", "code", "left"), [(b"\n", 1, 1), (b"y\n", 0, 0)])
async def test_it_shows_the_arguments_and_asks(
    gate: Gateway, answer: bytes, code: int, left: int
) -> None:
    (id,) = await asyncio.to_thread(waiting, gate)
    found = await asyncio.to_thread(at_terminal, gate, answer, "approvals", "approve", id)
    assert found[0] == code, found[1]
    assert "Say yes to exactly this?" in found[1]
    assert "gpj.exe" in found[1]
    assert not set(found[1]) & set("\u202e\x9b\x1b")
    assert len(await asyncio.to_thread(waiting, gate)) == left


async def test_yes_is_said_without_asking_where_it_is_wanted(gate: Gateway) -> None:
    (id,) = await asyncio.to_thread(waiting, gate)
    found = await asyncio.to_thread(
        at_terminal, gate, b"", "approvals", "approve", id, "--yes", "--digest", "0" * 64
    )
    assert (found[0], "exactly this" in found[1]) == (3, False)
    assert len(await asyncio.to_thread(waiting, gate)) == 1
    found = await asyncio.to_thread(at_terminal, gate, b"", "approvals", "approve", id, "--yes")
    assert found[0] == 0
