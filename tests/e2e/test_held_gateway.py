"""A whole gateway of two workers, while a person at a terminal is asked: what they say in another
process wakes who waits in one of these. The upstream counts what reaches it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

from lockgate.app.demo.stage import http_client
from lockgate.app.pending import HOLD_SECONDS
from lockgate.wire.meta import OWNED
from support.client import McpClient
from support.gateway import ROOT, Gateway, python
from support.holding import ASK, Json
from support.real_servers import said
from support.workers import client_of

pytestmark = pytest.mark.e2e
COUNTING = str(ROOT / "tests" / "support" / "counting_child.py")
MODES = ["legacy", "2026-07-28"]
"""All three are in ``test_held_clients.py``."""
TOKEN = {"token": "t-1"}


class Clinic:
    """``retry``: what was approved runs when its client comes again."""

    def __init__(self, folder: Path, *, retry: bool) -> None:
        self.books = folder / "books"
        self.books.mkdir()
        upstream = python(COUNTING, str(self.books)) | {"tools": {"count": {"hold": "owner"}}}
        origin = "http://127.0.0.1:9"
        self.gate = Gateway(
            folder / "gate", {"count": upstream}, listen={"port": 0, "workers": 2},
            console={"issuer": f"{origin}/issuer", "origin": origin},
        )  # fmt: skip
        self.change(retry=retry)
        self.gate.key("alice")
        self.opened: list[str] = []
        self._saying: list[asyncio.Task[str]] = []

    def change(self, *, retry: bool) -> None:
        self.gate.write_config(approvals={"factors": {"owner": {"on_retry": retry}}})

    @property
    def ran(self) -> list[str]:
        books = sorted(self.books.glob("calls.*"))
        return [line for book in books for line in book.read_text().split()]

    async def open(self, _: Any, params: Any) -> ElicitResult:
        """The person at the client opens the page; somebody else says yes, in a while."""
        self.opened.append(params.url)
        self._saying.append(asyncio.ensure_future(self.approve(params.url.rpartition("/")[2])))
        return ElicitResult(action="accept")

    async def approve(self, id: str) -> str:
        return await asyncio.to_thread(self.gate.cli, "approvals", "approve", id)

    @asynccontextmanager
    async def client(self, mode: str, **more: Any) -> AsyncIterator[Client]:
        headers = {"Authorization": f"Bearer {self.gate.key('alice')}"}
        async with http_client(headers) as http:
            transport = streamable_http_client(f"{self.gate.url}/count", http_client=http)
            async with Client(transport, mode=mode, cache=None, **more) as client:
                yield client
            await asyncio.gather(*self._saying)


@pytest.fixture(params=[False, True], ids=["automatic", "on-retry"])
def clinic(request: pytest.FixtureRequest, tmp_path: Path) -> Clinic:
    return Clinic(tmp_path, retry=request.param)


@pytest.mark.parametrize("mode", MODES)
async def test_a_yes_at_a_terminal_answers_who_waits(clinic: Clinic, mode: str) -> None:
    async with clinic.gate, clinic.client(mode, elicitation_callback=clinic.open) as client:
        began = time.monotonic()
        result = await client.call_tool("count", TOKEN, read_timeout_seconds=60)
        assert said(result) == "t-1"
        assert time.monotonic() - began < HOLD_SECONDS
        assert len(clinic.opened) == 1
        again = await client.call_tool("count", TOKEN)
        assert said(again) == "t-1"
        assert clinic.ran == ["t-1"], "once"
    steps = [row.header["action"] for row in clinic.gate.journal() if "action" in row.header]
    for step in ("requested", "told", "answered", "succeeded"):
        assert f"approval.{step}" in steps


async def test_a_task_is_known_in_every_worker_and_after_a_restart(clinic: Clinic) -> None:
    declared: Json = {
        f"{OWNED}clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    }
    clinic.change(retry=False)
    key, id = clinic.gate.key("alice"), ""
    for _ in range(2):
        async with clinic.gate:
            url = f"{clinic.gate.url}/count"
            for worker in (0, 1):
                async with client_of(clinic.gate, worker) as http:
                    alice = McpClient(http, url, key)
                    call = {"name": "count", "arguments": TOKEN, "_meta": declared}
                    id = id or (await alice.modern("tools/call", call)).result["taskId"]
                    about = {"taskId": id, "_meta": declared}
                    known = await alice.modern("tasks/get", about)
                    assert known.result["status"] == "working", known.text
    assert clinic.ran == []


async def test_a_gateway_that_stops_answers_who_waits(clinic: Clinic) -> None:
    async def accept(_: Any, params: Any) -> ElicitResult:
        clinic.opened.append(params.url)
        return ElicitResult(action="accept")

    async with clinic.gate, clinic.client("auto", elicitation_callback=accept) as client:
        calling = asyncio.ensure_future(client.call_tool("count", TOKEN))
        await clinic.gate.awaited(_held)
        began = time.monotonic()
        await asyncio.to_thread(clinic.gate.stop)
        result = await calling
        assert time.monotonic() - began < HOLD_SECONDS / 2
        assert (result.meta or {})[ASK]["state"] == "pending"


def _held(gate: Gateway) -> bool:
    """The retry is on record: it waits."""
    told = [row for row in gate.journal() if row.header.get("way") == "rounds"]
    return len(told) == 2
