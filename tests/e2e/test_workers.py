"""Two real workers behind one address: what one knows the other knows, and one may be killed."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from lockgate.app.stores import open_stores
from lockgate.model import Recorded
from support.client import McpClient
from support.gateway import PERMIT_ALL, Gateway, child, python
from support.gateway import ROOT as CHECKOUT
from support.processes import gone, until
from support.workers import client_of, pid_of

pytestmark = pytest.mark.e2e

COUNTING = str(CHECKOUT / "tests" / "support" / "counting_child.py")
SOON = 2.0
"""Seconds in which every worker knows."""
FORBID_ALL = PERMIT_ALL.replace("permit", "forbid")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Empty for SQLite."""
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgresql" else ""


def gate_of(folder: Path, upstreams: dict[str, Any], database: str = "", **more: Any) -> Gateway:
    made = Gateway(
        folder / "gate", upstreams, listen={"port": 0, "workers": 2}, database=database, **more
    )
    made.key("alice")
    return made


@asynccontextmanager
async def both(gate: Gateway, path: str = "") -> AsyncIterator[tuple[McpClient, McpClient]]:
    """Alice, at each worker."""
    async with client_of(gate, 0) as first, client_of(gate, 1) as second:
        key = gate.key("alice")
        yield McpClient(first, gate.url + path, key), McpClient(second, gate.url + path, key)


def recorded(gate: Gateway, database: str) -> tuple[Recorded, ...]:
    stores = open_stores(gate.folder / "data", database)
    try:
        if not database:
            with stores.engine.connect() as connection:
                assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
        return stores.events.tail(10_000)
    finally:
        stores.engine.dispose()


async def refused_soon(client: McpClient, reason: str) -> float:
    """Seconds until that is what it is told."""
    began = time.monotonic()
    while (await client.modern("tools/list")).reason != reason:
        assert time.monotonic() - began < 10 * SOON
    return time.monotonic() - began


async def test_both_answer_and_end_in_order(tmp_path: Path, database: str) -> None:
    gate = gate_of(tmp_path, {"echo": child("modern")}, database)
    async with gate:
        async with both(gate, "/echo") as clients:
            for alice in clients:
                assert (await alice.call("echo")).result["structuredContent"]
        assert len(gate.children()) == 4, "two workers, one keeper and its one program"
        assert gate.stop() == 0
        assert not gate.orphans()
    rows = [row.event.kind for row in recorded(gate, database)]
    assert rows.count("call.intent") == rows.count("call.outcome") == 4
    assert "Traceback" not in gate.log


async def test_a_session_of_one_is_known_to_the_other(tmp_path: Path, database: str) -> None:
    gate = gate_of(tmp_path, {"echo": child("modern")}, database)
    async with gate, both(gate, "/echo") as (here, there):
        there.session = await here.open()
        assert (await there.legacy("tools/list")).result["tools"]
        assert (await there.close()).status == 204
        began = time.monotonic()
        while (await here.legacy("tools/list")).status == 200:
            assert time.monotonic() - began < SOON


async def test_a_revoked_key_is_refused_by_both(tmp_path: Path, database: str) -> None:
    gate = gate_of(tmp_path, {"echo": child("modern")}, database)
    async with gate, both(gate, "/echo") as clients:
        for alice in clients:
            assert (await alice.modern("tools/list")).result["tools"]
        gate.cli("keys", "revoke", gate.key("alice").split("_")[1])
        waited = await asyncio.gather(*(refused_soon(c, "auth.invalid") for c in clients))
        assert max(waited) < SOON


async def test_a_new_policy_reaches_both(tmp_path: Path, database: str) -> None:
    gate = gate_of(tmp_path, {"echo": child("modern")}, database)
    async with gate, both(gate, "/echo") as clients:
        for alice in clients:
            assert (await alice.call("echo")).reason == ""
        gate.write_policy(FORBID_ALL)
        gate.signal(signal.SIGHUP)
        for alice in clients:
            began = time.monotonic()
            while not (await alice.call("echo")).reason.startswith("policy."):
                assert time.monotonic() - began < SOON


async def test_one_that_is_killed_is_started_again(tmp_path: Path, database: str) -> None:
    """And meanwhile the other goes on, while everything it recorded stays."""
    books = tmp_path / "books"
    books.mkdir()
    gate = gate_of(tmp_path, {"count": python(COUNTING, str(books))}, database)
    answered = []
    async with gate:
        async with both(gate, "/count") as (here, there):
            victim = pid_of(gate, 1)
            assert victim is not None
            for number in range(40):
                client = there if number < 10 else here
                said = await client.call("count", {"token": f"t{number}"})
                if said.reason == "":
                    answered.append(f"t{number}")
                else:  # its program ran in the worker that is gone
                    assert said.reason in ("upstream.crashed", "upstream.unreachable")
                if number == 10:
                    os.kill(victim, signal.SIGKILL)
                    assert gone(victim)
        assert "t39" in answered
        assert len(answered) > 30
        async with client_of(gate, 1) as http:
            again = McpClient(http, f"{gate.url}/count", gate.key("alice"))
            assert (await again.call("count", {"token": "after"})).reason == ""
        assert pid_of(gate, 1) not in (None, victim)
        assert gate.stop() == 0
    seen = [line for book in books.glob("calls.*") for line in book.read_text().split()]
    assert len(seen) == len(set(seen)), "a call was sent twice"
    assert {*answered, "after"} <= set(seen)
    intents = [row for row in recorded(gate, database) if row.event.kind == "call.intent"]
    told = [row.event.slots["args"] for row in intents if "args" in row.event.slots]
    tokens = {json.loads(raw).get("arguments", {}).get("token") for raw in told}
    assert set(seen) <= tokens


async def test_nothing_outlives_whoever_stands_over_them(tmp_path: Path) -> None:
    gate = gate_of(tmp_path, {"stubborn": child("stubborn")})
    async with gate:
        async with both(gate, "/stubborn") as clients:
            for alice in clients:
                assert (await alice.modern("tools/list")).result["tools"]
        assert len(gate.children()) == 5
        gate.kill9()
        assert not gate.orphans(20)


def test_what_keeps_them_from_starting_is_said_once(tmp_path: Path) -> None:
    gate = gate_of(tmp_path, {"echo": child("modern")}, policy="permit(nonsense);")
    with pytest.raises(AssertionError, match="The policies cannot be used"):
        gate.start()
    assert gate.log.count("The policies cannot be used") == 1


async def test_limits_hold_over_both(tmp_path: Path, database: str) -> None:
    limits = {"burst": 20, "calls_per_minute": 1}
    gate = gate_of(tmp_path, {"echo": child("modern")}, database, limits=limits)
    async with gate, both(gate, "/echo") as clients:
        said = await asyncio.gather(
            *(clients[number % 2].call("echo", id=number) for number in range(40))
        )
        reasons = [one.reason for one in said]
        assert reasons.count("quota.exceeded") >= 20
        assert reasons.count("") <= 20
        assert reasons.count("") + reasons.count("quota.exceeded") == 40


async def test_many_calls_over_both_run_in_one_program(tmp_path: Path) -> None:
    gate = gate_of(tmp_path, {"echo": child("legacy")})
    async with gate, both(gate, "/echo") as clients:
        said = await asyncio.gather(
            *(clients[n % 2].call("echo", {"n": n}, id=n) for n in range(20))
        )
        found = [one.result["structuredContent"] for one in said]
        assert [one["arguments"]["n"] for one in found] == list(range(20))
        assert len({one["pid"] for one in found}) == 1


async def test_when_the_owner_of_a_link_is_killed_the_next_call_goes_to_the_new_one(
    tmp_path: Path,
) -> None:
    books = tmp_path / "books"
    books.mkdir()
    gate = gate_of(tmp_path, {"count": python(COUNTING, str(books))})
    async with gate, both(gate, "/count") as clients:
        assert (await clients[0].call("count", {"token": "before"})).reason == ""
        (book,) = books.iterdir()
        program = int(book.suffix[1:])
        owner = _worker_above(gate, program)
        other = clients[1 - owner]
        waiting = asyncio.ensure_future(other.call("slow", {"token": "during"}))
        await asyncio.to_thread(until, lambda: "during" in book.read_text())
        victim = pid_of(gate, owner)
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        assert (await waiting).reason == "upstream.crashed"
        began = time.monotonic()
        while (said := await other.call("count", {"token": uuid4().hex})).reason:
            assert said.reason.startswith("upstream.")
            assert time.monotonic() - began < 20, said.text
        assert gone(program)
    tokens = [token for one in books.iterdir() for token in one.read_text().split()]
    assert len(tokens) == len(set(tokens)), "a call was sent twice"


def _worker_above(gate: Gateway, pid: int) -> int:
    places = {pid_of(gate, worker): worker for worker in (0, 1)}
    while pid not in places:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        pid = int(stat.rpartition(b")")[2].split()[1])
    return places[pid]
