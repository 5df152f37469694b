"""One person's task is nobody else's to look at, to answer or to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.client import McpClient, Said, http_client
from support.gateway import Gateway
from support.upstream_endpoint import FakeEndpoint, Out, serving

pytestmark = pytest.mark.e2e

Json = dict[str, Any]

TASKS: Json = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
CAN = {"_meta": {"io.modelcontextprotocol/clientCapabilities": TASKS}}
METHODS = ("tasks/get", "tasks/update", "tasks/cancel")


class Slow(FakeEndpoint):
    """Each call is a task with a number for an id, as easy to guess as they come."""

    def __init__(self) -> None:
        super().__init__("modern")
        self.begun = 0

    async def _list(self, message: Json, out: Out) -> None:
        await out.result(message, {"tools": [{"name": "work", "inputSchema": {"type": "object"}}]})

    async def do_work(self, message: Json, out: Out) -> None:
        self.begun += 1
        handle = {"resultType": "task", "taskId": str(self.begun), "status": "working"}
        await out.result(message, handle)

    async def _answer(self, message: Json, out: Out) -> None:
        if message["method"] not in METHODS:
            await super()._answer(message, out)
            return
        id = message["params"]["taskId"]
        text = {"type": "text", "text": f"what task {id} found"}
        done = {"taskId": id, "status": "completed", "result": {"content": [text]}}
        await out.result(message, done if message["method"] == "tasks/get" else {})

    @property
    def about_tasks(self) -> list[tuple[str, str, str | None]]:
        return [(r.message["method"], r.message["params"]["taskId"], r.header("mcp-name"))
                for r in self.received if r.message.get("method") in METHODS]  # fmt: skip


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[tuple[Gateway, McpClient, McpClient, Slow]]:
    slow = Slow()
    async with serving(slow) as url:
        gate = Gateway(folder, {"one": {"url": url}, "two": {"url": url}})
        keys = gate.key("alice"), gate.key("bob")
        async with gate, http_client() as http:
            alice, bob = (McpClient(http, f"{gate.url}/one", key) for key in keys)
            yield gate, alice, bob, slow
            assert "Traceback" not in gate.log
            await asyncio.to_thread(gate.stop)


async def begin(client: McpClient, tool: str = "work") -> str:
    said = await client.modern("tools/call", {"name": tool, "arguments": {}, **CAN})
    assert said.result["resultType"] == "task"
    return str(said.result["taskId"])


async def about(client: McpClient, method: str, id: str) -> Said:
    return await client.modern(method, {"taskId": id, "inputResponses": {}, **CAN})


async def test_nobody_looks_at_answers_or_stops_anothers_task(tmp_path: Path) -> None:
    async with house(tmp_path) as (gate, alice, bob, slow):
        hers, his = await begin(alice), await begin(bob)
        assert hers not in ("1", "2")
        strangers = [bob, alice.at(f"{gate.url}/two"), alice.at(gate.url)]
        for method in METHODS:
            for stranger in strangers:
                stolen = await about(stranger, method, hers)
                assert (stolen.status, stolen.reason) == (400, "task.unknown")
            for guess in ("1", "2", hers[:-4], hers[4:], hers + "A", ""):
                wrong = await about(alice, method, guess)
                assert wrong.reason in ("task.unknown", "wire.bad-params")
                assert wrong.status in (200, 400)
        assert slow.about_tasks == []
        found = await about(alice, "tasks/get", hers)
        assert found.result["taskId"] == hers
        assert "what task 1 found" in found.text
        assert "what task 2 found" in (await about(bob, "tasks/get", his)).text
        assert slow.about_tasks == [("tasks/get", "1", "1"), ("tasks/get", "2", "2")]


async def test_header_and_body_name_the_same_task(tmp_path: Path) -> None:
    async with house(tmp_path) as (_, alice, bob, slow):
        hers, his = await begin(alice), await begin(bob)
        params = {"taskId": hers, **CAN}
        for name in (his, "1", ""):
            said = await alice.modern("tasks/get", params, headers={"mcp-name": name})
            assert (said.status, said.reason) == (400, "wire.header-mismatch")
        assert slow.about_tasks == []


async def test_a_task_is_found_again_after_a_crash(tmp_path: Path) -> None:
    async with house(tmp_path) as (gate, alice, bob, slow):
        hers = await begin(alice)
        await asyncio.to_thread(gate.kill9)
        await asyncio.to_thread(gate.start)
        alice, bob = alice.at(f"{gate.url}/one"), bob.at(f"{gate.url}/one")
        assert (await about(bob, "tasks/get", hers)).reason == "task.unknown"
        assert "what task 1 found" in (await about(alice, "tasks/get", hers)).text
        assert slow.about_tasks == [("tasks/get", "1", "1")]
