"""Approved calls are made by the gateway itself, once: two real workers, and people at a terminal.

The upstream counts what reaches it, durably, before it answers.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp.types import CallToolResult

from lockgate.app.stores import inquiries_of, open_stores
from lockgate.model import Recorded
from support.client import McpClient, Said
from support.gateway import ROOT as CHECKOUT
from support.gateway import Gateway, python
from support.processes import until
from support.real_servers import client_of as sdk_client
from support.real_servers import said as words_of
from support.workers import client_of, pid_of

pytestmark = pytest.mark.e2e

COUNTING = str(CHECKOUT / "tests" / "support" / "counting_child.py")
HELD = {"count": {"hold": "owner"}, "slow": {"hold": "owner"}}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Empty for SQLite."""
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgresql" else ""


def recorded(clinic: "Clinic") -> tuple[Recorded, ...]:
    stores = open_stores(clinic.gate.folder / "data", clinic.database)
    try:
        return stores.events.tail(10_000)
    finally:
        stores.engine.dispose()


class Clinic:
    """A gateway before one counting upstream, and what reached that."""

    def __init__(self, folder: Path, database: str = "", workers: int = 2) -> None:
        self.books = folder / "books"
        self.books.mkdir()
        upstream = python(COUNTING, str(self.books)) | {"tools": HELD}
        self.gate = Gateway(
            folder / "gate", {"count": upstream}, listen={"port": 0, "workers": workers},
            database=database,
        )  # fmt: skip
        self.gate.key("alice")
        self.database = database

    @property
    def ran(self) -> list[str]:
        books = sorted(self.books.glob("calls.*"))
        return [line for book in books for line in book.read_text().split()]

    def go(self) -> None:
        (self.books / "go").touch()

    def approve(self, id: str) -> None:
        self.gate.cli("approvals", "approve", id)

    def question(self, id: str) -> dict[str, Any]:
        """As it is in the database: a command takes a second to say it."""
        stores = open_stores(self.gate.folder / "data", self.database)
        try:
            found = inquiries_of(stores).get(id)
        finally:
            stores.engine.dispose()
        assert found is not None
        one = found.inquiry
        return {"state": one.state, "why": one.reason, "node": one.node}

    def hang_lists(self) -> None:
        (self.books / "hang").touch()

    def free_lists(self) -> None:
        (self.books / "hang").unlink()

    async def taken(self, id: str) -> int:
        """The worker that is at work on it."""
        await asyncio.to_thread(until, lambda: self.question(id)["node"], 20)
        return int(str(self.question(id)["node"]).rpartition(".")[2])

    async def ended(self, id: str, seconds: float = 40.0) -> dict[str, Any]:
        """The question, once it is over."""
        open_ = ("pending", "approved", "used")
        await asyncio.to_thread(until, lambda: self.question(id)["state"] not in open_, seconds)
        return self.question(id)


@asynccontextmanager
async def alice(clinic: Clinic, worker: int = 0) -> AsyncIterator[McpClient]:
    async with client_of(clinic.gate, worker) as http:
        yield McpClient(http, f"{clinic.gate.url}/count", clinic.gate.key("alice"))


def handle_in(said: CallToolResult) -> str:
    return _handle(words_of(said))


def handle(said: Said) -> str:
    assert said.reason == "approval.needed", said.text
    return _handle(str(said.result["content"][0]["text"]))


def _handle(text: str) -> str:
    return next(w.strip(".") for w in text.split() if len(w.strip(".")) == 32)


async def test_it_runs_when_somebody_says_yes(tmp_path: Path, database: str) -> None:
    clinic = Clinic(tmp_path, database)
    async with clinic.gate, alice(clinic) as client:
        id = handle(await client.call("count", {"token": "t1"}))
        assert not clinic.ran
        await asyncio.to_thread(clinic.approve, id)
        assert (await clinic.ended(id))["state"] == "succeeded", clinic.gate.log
        again = await client.call("count", {"token": "t1"})
        assert again.result["content"][0]["text"] == "t1"
        assert again.result["_meta"]["lockgate/approval"]["handle"] == id
        everywhere = client.at(clinic.gate.url)
        found = await everywhere.call("lockgate_result", {"handle": id})
        assert found.result["content"] == again.result["content"]
        unknown = await everywhere.call("lockgate_result", {"handle": f"{id}0"})
        assert unknown.reason == "approval.unknown-handle"
        assert clinic.ran == ["t1"]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_whole_story_with_an_sdk_client(tmp_path: Path, database: str, mode: str) -> None:
    clinic = Clinic(tmp_path, database)
    async with clinic.gate, sdk_client(clinic.gate, "http", mode, "count") as session:
        listed = await session.list_tools()
        assert "lockgate_result" in [tool.name for tool in listed.tools]
        held = await session.call_tool("count", {"token": "t10"})
        assert held.is_error
        id = handle_in(held)
        waits = await session.call_tool("lockgate_result", {"handle": id})
        assert not waits.is_error
        assert waits.meta is not None
        assert waits.meta["lockgate/approval"] == {"handle": id, "state": "pending"}
        await asyncio.to_thread(clinic.approve, id)
        await asyncio.to_thread(until, lambda: clinic.ran == ["t10"])
        result = await session.call_tool("lockgate_result", {"handle": id})
        again = await session.call_tool("count", {"token": "t10"})
        assert words_of(result) == words_of(again) == "t10"
        assert result.meta is not None
        assert result.meta["lockgate/approval"]["handle"] == id
        assert result.meta == again.meta
        other = await session.call_tool("count", {"token": "t100"})
        assert handle_in(other) != id
        assert clinic.ran == ["t10"]
    made = [r.event for r in recorded(clinic) if "approved" in r.event.header]
    assert [(one.kind, one.header["approved"]) for one in made] == [("call.outcome", [id])]


async def test_a_worker_that_dies_before_it_begins_is_followed(
    tmp_path: Path, database: str
) -> None:
    """Both hang in listing the tools when one of them has it; the other makes the call."""
    clinic = Clinic(tmp_path, database)
    async with clinic.gate, alice(clinic) as client:
        id = handle(await client.call("count", {"token": "t1"}))
        clinic.hang_lists()
        await asyncio.to_thread(clinic.approve, id)
        taker = await clinic.taken(id)
        victim = pid_of(clinic.gate, taker)
        assert victim is not None
        assert (await asyncio.to_thread(clinic.question, id))["state"] == "approved"
        os.kill(victim, signal.SIGKILL)
        clinic.free_lists()
        assert (await clinic.ended(id))["state"] == "succeeded"
        assert clinic.ran == ["t1"]


async def test_a_worker_that_dies_in_the_call_leaves_word_of_it(
    tmp_path: Path, database: str
) -> None:
    clinic = Clinic(tmp_path, database)
    async with clinic.gate:
        async with alice(clinic) as client:
            id = handle(await client.call("slow", {"token": "t1"}))
        await asyncio.to_thread(clinic.approve, id)
        await asyncio.to_thread(until, lambda: clinic.ran == ["t1"], 20)
        victim = pid_of(clinic.gate, await clinic.taken(id))
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        clinic.go()
        over = await clinic.ended(id)
        assert (over["state"], over["why"]) == ("failed", "approval.interrupted")
        for worker in (0, 1):
            async with alice(clinic, worker) as client:
                assert (await client.call("slow", {"token": "t1"})).reason == over["why"]
                asked = await client.call("lockgate_result", {"handle": id})
                assert asked.reason == over["why"]
                assert asked.result["isError"]
        assert clinic.ran == ["t1"]
