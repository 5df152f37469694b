"""``kill -9`` of the gateway under load: every call that reached an upstream is in the journal."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest
from pyreqwest.exceptions import PyreqwestError
from sqlalchemy import text

from lockgate.app.stores import open_stores
from support.client import McpClient, http_client
from support.gateway import ROOT, Gateway, child, python
from support.processes import alive

COUNTING = str(ROOT / "tests" / "support" / "counting_child.py")
PEOPLE = ("alice", "bob", "carol", "dave")
TASKS = 4
"""Concurrent calls of each person."""
ROUNDS = 4
SEED = 20260728
LIMITS = {"burst": 1_000_000, "calls_per_minute": 1_000_000, "concurrent_calls": 100}

pytestmark = pytest.mark.e2e


class Load:
    """Everybody calls, one unique token a call, until the gateway is gone."""

    def __init__(self, gate: Gateway, round: int) -> None:
        self.gate = gate
        self.round = round
        self.answered: set[str] = set()
        self.enough = asyncio.Event()

    async def run(self, kill_after: int) -> None:
        """Kill it after so many answers: somewhere in the middle of other calls."""
        callers = [
            asyncio.create_task(self._call(name, n)) for name in PEOPLE for n in range(TASKS)
        ]
        waiting = asyncio.create_task(self._wait(kill_after))
        await asyncio.wait({waiting}, timeout=60)
        assert waiting.done(), f"only {len(self.answered)} answers"
        self.gate.kill9()
        await asyncio.gather(*callers)

    async def _wait(self, answers: int) -> None:
        while len(self.answered) < answers:
            self.enough.clear()
            await self.enough.wait()

    async def _call(self, name: str, task: int) -> None:
        async with http_client() as http:
            client = McpClient(http, f"{self.gate.url}/count", self.gate.key(name))
            number = 0
            while True:
                token = f"{self.round}-{name}-{task}-{number}"
                number += 1
                try:
                    said = await client.call("count", {"token": token})
                except PyreqwestError:
                    return
                assert said.result["content"][0]["text"] == token
                self.answered.add(token)
                self.enough.set()


def reached(folder: Path) -> Counter[str]:
    """Tokens of the calls that the upstream's processes saw. The last line may be cut."""
    found: Counter[str] = Counter()
    for book in folder.glob("calls.*"):
        found.update(line for line in book.read_text().split("\n")[:-1] if line)
    return found


def intended(gate: Gateway) -> set[str]:
    """Tokens in the intents that the journal holds."""
    rows = gate.rows(kind="call.intent", method="tools/call", effect="permit")
    return {row.slots["args"]["arguments"]["token"] for row in rows}


async def test_every_call_that_reached_the_upstream_has_its_intent(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 - not for secrets
    books = tmp_path / "books"
    books.mkdir()
    gate = Gateway(tmp_path / "gate", {"count": python(COUNTING, str(books))}, limits=LIMITS)
    for name in PEOPLE:
        gate.key(name)
    answered: set[str] = set()
    async with gate:
        for round in range(ROUNDS):
            load = Load(gate, round)
            await load.run(chance.randrange(20, 200))
            answered |= load.answered
            left = gate.orphans()
            assert not left, [pid for pid in left if alive(pid)]
            seen = reached(books)
            assert set(seen) <= intended(gate)
            assert max(seen.values()) == 1, "a call was sent twice"
            assert answered <= set(seen)
            gate.start()
        assert sum(seen.values()) > 20 * ROUNDS
        check_whole(gate)
        async with http_client() as http:
            client = McpClient(http, f"{gate.url}/count", gate.key("alice"))
            assert (await client.call("count", {"token": "after"})).result["content"]
        assert gate.stop() == 0
        assert "Traceback" not in gate.log


async def test_nothing_of_an_upstream_that_ignores_its_end_is_left(tmp_path: Path) -> None:
    """Not it, which ignores a closed stdin and SIGTERM; not its child in a session of its own."""
    gate = Gateway(tmp_path, {"stubborn": child("stubborn")})
    gate.key("alice")
    async with gate, http_client() as http:
        for _ in range(2):
            client = McpClient(http, f"{gate.url}/stubborn", gate.key("alice"))
            assert (await client.modern("tools/list")).result["tools"]
            assert len(gate.children()) == 3, "its keeper, it and its child"
            gate.kill9()
            assert not gate.orphans()
            gate.start()


def check_whole(gate: Gateway) -> None:
    """The database is sound, rows follow each other, no intent is there twice."""
    stores = open_stores(gate.folder / "data")
    try:
        with stores.engine.connect() as connection:
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
            assert not connection.execute(text("PRAGMA foreign_key_check")).all()
    finally:
        stores.engine.dispose()
    rows = gate.rows(kind="call.intent")
    assert len({r.call for r in rows}) == len(rows)
    known = {r.call for r in rows}
    assert {r.call for r in gate.rows(kind="call.outcome")} <= known
