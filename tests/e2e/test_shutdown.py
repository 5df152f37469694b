"""A gateway that stops finishes what runs; one whose configuration changes drops nothing."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from pyreqwest.client import Client
from pyreqwest.exceptions import PyreqwestError

from support.client import (
    LEGACY,
    McpClient,
    Said,
    enveloped,
    http_client,
    mirror,
    posted,
    wire_to,
)
from support.gateway import PERMIT_ALL, ROOT, Gateway, python
from support.processes import until

COUNTING = str(ROOT / "tests" / "support" / "counting_child.py")
FORBID_COUNT = PERMIT_ALL + (
    '@id("no-counting")\nforbid (principal, action, resource == Tool::"count/count");\n'
)

pytestmark = pytest.mark.e2e


class World:
    """A gateway before one counting upstream, and what that saw."""

    def __init__(self, folder: Path, **limits: Any) -> None:
        self.books = folder / "books"
        self.books.mkdir()
        limits = {"burst": 100_000, "calls_per_minute": 100_000, **limits}
        self.gate = Gateway(folder / "gate", {"count": self.upstream()}, limits=limits)
        self.gate.key("alice")
        self.gate.key("bob")

    def upstream(self, **settings: Any) -> dict[str, Any]:
        return python(COUNTING, str(self.books), **settings)

    def client(self, http: Client, upstream: str = "count", who: str = "alice") -> McpClient:
        """Each person has a process of the upstream: while it is slow to one, it answers others."""
        return McpClient(http, f"{self.gate.url}/{upstream}", self.gate.key(who))

    def go(self) -> None:
        """Let the slow calls end."""
        (self.books / "go").touch()

    async def reached(self, token: str) -> None:
        def look() -> bool:
            return any(token in book.read_text().split() for book in self.books.glob("calls.*"))

        await asyncio.to_thread(until, look)


def slow(client: McpClient, token: str) -> "asyncio.Task[Said]":
    return asyncio.create_task(client.call("slow", {"token": token}))


async def refused_to_connect(world: World) -> None:
    """Until nobody listens any more."""
    async with asyncio.timeout(10), http_client() as http:
        while True:
            try:
                await http.get(f"{world.gate.base}/health/live").build().send()
            except PyreqwestError:
                return


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_finishes_what_runs_refuses_what_comes_and_ends_its_children(
    tmp_path: Path, number: signal.Signals
) -> None:
    world = World(tmp_path)
    async with world.gate as gate, http_client() as http:
        running = slow(world.client(http), "running")
        await world.reached("running")
        children = gate.children()
        assert children
        gate.signal(number)
        await refused_to_connect(world)
        assert not running.done()
        world.go()
        said = await running
        assert said.result["content"][0]["text"] == "running"
        assert await asyncio.to_thread(gate.wait) == 0
        assert not gate.orphans()
        (call,) = {r.call for r in gate.rows(kind="call.intent", target="slow")}
        assert [r.effect for r in gate.rows(call=call, kind="call.outcome")] == ["permit"]
        assert "Traceback" not in gate.log


async def test_what_does_not_end_in_time_is_told_so_and_recorded(tmp_path: Path) -> None:
    world = World(tmp_path, drain_seconds=0.5)
    async with world.gate as gate, http_client() as http:
        running = slow(world.client(http), "stuck")
        await world.reached("stuck")
        assert await asyncio.to_thread(gate.stop) == 0
        said = await running
        assert (said.status, said.reason) == (503, "gateway.stopping")
        (outcome,) = gate.rows(kind="call.outcome", target="slow")
        assert outcome.reason == "call.cancelled"
        assert not gate.orphans()
        assert "Traceback" not in gate.log


async def leave(world: World, token: str, headers: dict[str, str]) -> None:
    """Ask for a slow call, and close the connection when it has reached the upstream."""
    params = enveloped({"name": "slow", "arguments": {"token": token}})
    if "mcp-session-id" in headers:
        del params["_meta"]
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    gate = world.gate
    sent = posted(gate.base, "/mcp/count", gate.key("alice"), json.dumps(call).encode(), headers)
    async with wire_to(gate.base) as wire:
        await wire.send(sent)
        await world.reached(token)


async def test_a_legacy_call_whose_client_left_runs_to_its_end(tmp_path: Path) -> None:
    """To old clients a closed connection is no cancellation (MCP 2025-11-25, Transports)."""
    world = World(tmp_path)
    async with world.gate as gate, http_client() as http:
        session = await world.client(http).open()
        await leave(world, "left", {"mcp-session-id": session, "mcp-protocol-version": LEGACY})
        gate.signal(signal.SIGTERM)
        await refused_to_connect(world)
        world.go()
        assert await asyncio.to_thread(gate.wait) == 0
        (outcome,) = gate.rows(kind="call.outcome", target="slow")
        assert outcome.effect == "permit"
        assert "Traceback" not in gate.log


async def test_a_modern_client_that_leaves_cancels_its_call(tmp_path: Path) -> None:
    """To new ones it is the cancellation (MCP 2026-07-28, Cancellation)."""
    world = World(tmp_path)
    async with world.gate as gate:
        await leave(world, "gone", mirror("tools/call", {"name": "slow"}))
        (outcome,) = await gate.awaited(lambda g: g.rows(kind="call.outcome", target="slow"))
        assert outcome.reason == "call.cancelled"
        world.go()


async def test_a_cancellation_over_stdio_reaches_the_call(tmp_path: Path) -> None:
    """The shim closes the stream for its client; the gateway lets slow answers begin for that."""
    world = World(tmp_path)
    params = enveloped({"name": "slow", "arguments": {"token": "abandoned"}})
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    async with world.gate as gate:
        async with gate.shim("alice", "/mcp/count") as (stdin, stdout):
            stdin.write(json.dumps(call).encode() + b"\n")
            await world.reached("abandoned")
            stdin.write(json.dumps(cancelled).encode() + b"\n")
            (outcome,) = await gate.awaited(lambda g: g.rows(kind="call.outcome", target="slow"))
            assert outcome.reason == "call.cancelled"
            stdin.close()
            assert await stdout.read() == b"", "what was cancelled is not answered"
        world.go()


async def test_a_reload_under_load_drops_no_call(tmp_path: Path) -> None:
    world = World(tmp_path)
    stop = asyncio.Event()

    async def keep_calling(name: str) -> int:
        done = 0
        async with http_client() as http:
            client = world.client(http, who="bob")
            while not stop.is_set():
                token = f"{name}-{done}"
                said = await client.call("count", {"token": token})
                assert said.result["content"][0]["text"] == token
                done += 1
        return done

    async with world.gate as gate, http_client() as http:
        running = slow(world.client(http), "through")
        await world.reached("through")
        load = [asyncio.create_task(keep_calling(f"c{n}")) for n in range(4)]
        for number in range(3):
            name = f"more-{number}"
            upstreams = {**gate.settings["upstreams"], name: world.upstream()}
            gate.write_config(upstreams=upstreams)
            gate.signal(signal.SIGHUP)
            await answering(world, http, name)
        stop.set()
        assert all(await asyncio.gather(*load))
        world.go()
        assert (await running).result["content"][0]["text"] == "through"


async def answering(world: World, http: Client, upstream: str, **wanted: Any) -> Said:
    """Until this upstream answers, or refuses with ``reason``."""
    client = world.client(http, upstream, "bob")
    async with asyncio.timeout(15):
        while True:
            said = await client.call("count", {"token": "new"})
            if said.reason == wanted.get("reason", ""):
                return said


async def test_a_changed_policy_is_in_force_without_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.gate as gate, http_client() as http:
        assert (await world.client(http).call("count", {"token": "before"})).reason == ""
        gate.write_policy(FORBID_COUNT)  # no signal: it is noticed
        await answering(world, http, "count", reason="policy.denied")
        gate.write_policy(PERMIT_ALL)
        await answering(world, http, "count")


async def test_a_changed_or_removed_upstream_ends_the_process_it_had(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.gate as gate, http_client() as http:
        await world.client(http).call("count", {"token": "first"})
        first = gate.children()
        gate.write_config(upstreams={"count": world.upstream(timeout_seconds=7.0)})
        gate.signal(signal.SIGHUP)
        await asyncio.to_thread(until, lambda: not gate.children() & first)
        await world.client(http).call("count", {"token": "second"})
        second = gate.children()
        assert second
        gate.write_config(upstreams={})
        gate.signal(signal.SIGHUP)
        await asyncio.to_thread(until, lambda: not gate.children() & second)
        said = await world.client(http).call("count", {"token": "third"})
        assert (said.status, said.reason) == (404, "wire.bad-path")


def _broken_yaml(gate: Gateway) -> None:
    gate.config.write_text("listen: [\n")


def _unknown_key(gate: Gateway) -> None:
    gate.write_config(listne={})


def _broken_policy(gate: Gateway) -> None:
    gate.write_policy("permit (principal, action);")


def _no_text(gate: Gateway) -> None:
    (gate.folder / "policies" / "test.cedar").write_bytes(b"\xff\xfe\x00")


def _missing_secret(gate: Gateway) -> None:
    upstream = {"url": "http://127.0.0.1:9/mcp", "headers": {"x-key": "env:NOT_SET_ANYWHERE"}}
    gate.write_config(upstreams={**gate.settings["upstreams"], "web": upstream})


def _mapping_clash(gate: Gateway) -> None:
    tools = {"count": {"arguments": {"token": "string"}}, "slow": {"arguments": {"token": "long"}}}
    upstreams = gate.settings["upstreams"]
    gate.write_config(upstreams={"count": {**upstreams["count"], "tools": tools}})


DAMAGES = (_broken_yaml, _unknown_key, _broken_policy, _no_text, _missing_secret, _mapping_clash)


async def test_a_broken_configuration_is_not_taken_and_health_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    good = dict(world.gate.settings)
    async with world.gate as gate, http_client() as http:
        client = world.client(http)
        assert "configuration" not in await ready(gate, http)
        for damage in DAMAGES:
            damage(gate)
            gate.signal(signal.SIGHUP)
            await ready_says(gate, http, damage.__name__)
            assert (await client.call("count", {"token": "still"})).reason == "", damage
            gate.settings = dict(good)
            gate.write_config()
            gate.write_policy(PERMIT_ALL)
            gate.signal(signal.SIGHUP)
            await ready_says(gate, http, "")
            assert (await client.call("count", {"token": "again"})).reason == "", damage
        assert "Traceback" not in gate.log


async def ready(gate: Gateway, http: Client) -> dict[str, Any]:
    response = await http.get(f"{gate.base}/health/ready").build().send()
    assert response.status == 200
    found: dict[str, Any] = json.loads(await response.text())
    return found


async def ready_says(gate: Gateway, http: Client, damage: str) -> None:
    """Until it says that something is wrong, or, for no damage, that nothing is."""
    async with asyncio.timeout(15):
        while ("configuration" in await ready(gate, http)) is not bool(damage):
            pass


async def test_a_journal_that_cannot_be_written_stops_all_calls(tmp_path: Path) -> None:
    """Another writer holds the database: no record, no action, and not ready."""
    world = World(tmp_path)
    async with world.gate as gate, http_client() as http:
        assert (await world.client(http).call("count", {"token": "before"})).reason == ""
        with gate.locked_database():
            said = await world.client(http).call("count", {"token": "unrecorded"})
            assert said.reason in {"journal.unavailable", "auth.unknown"}
        await answering(world, http, "count")
        seen = "".join(book.read_text() for book in world.books.glob("calls.*"))
        assert "unrecorded" not in seen
