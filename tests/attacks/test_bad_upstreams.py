"""Upstreams that crash, hang, flood or lie, behind a real gateway: each call gets a catalogued
refusal and its outcome into the journal, the gateway goes on, and no process is left.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from support.client import McpClient, Said, http_client
from support.gateway import ROOT, Gateway, child, python
from support.upstream_endpoint import FakeEndpoint, serving

ODD = str(ROOT / "tests" / "support" / "odd_child.py")
LIMITS = {"burst": 10_000, "calls_per_minute": 100_000, "drain_seconds": 5}
CALL_SECONDS = 2.5

pytestmark = pytest.mark.e2e


def odd(kind: str, **settings: Any) -> dict[str, Any]:
    return python(ODD, kind, timeout_seconds=CALL_SECONDS, **settings)


LISTS = {
    "big": "", "huge": "upstream.too-large", "endless": "upstream.too-large",
    "loop": "upstream.garbage", "no-list": "upstream.garbage", "null-list": "upstream.garbage",
    "odd-cursor": "upstream.garbage", "odd-items": "",
}  # fmt: skip
"""How a list goes wrong, and what is then said; nothing where the good part gets through."""
UPSTREAMS = {
    "odd": odd(""),
    "steady": odd(""),
    "family": python(ODD, ""),
    "gone": {"command": "/no/such/program"},
    "silent": child("silent", timeout_seconds=1.0),
    "crash": child("crash"),
    "future": child("future-only"),
    "dead": {"url": "http://127.0.0.1:9/mcp"},
    **{kind: odd(kind) for kind in LISTS},
    "big": python(ODD, "big"),
}


CRASHES = {
    "exit": "upstream.crashed",
    "garbage": "upstream.garbage",
    "not_json": "upstream.garbage",
    "twice": "upstream.garbage",
    "deep": "upstream.garbage",
    "error_shape": "upstream.garbage",
    "result_list": "upstream.garbage",
    "flood": "upstream.garbage",
    "drip": "upstream.too-large",
}
"""Each of these costs the upstream its process."""
SLIPS = {
    "hang": "upstream.timeout",
    "stray": "upstream.timeout",
    "no_content": "reply.shape",
    "text_not_list": "reply.shape",
    "unknown_type": "reply.unknown-type",
}
"""Bad answers that leave the link in order."""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gate = Gateway(tmp_path_factory.mktemp("gate"), UPSTREAMS, limits=LIMITS)
    for name in ("alice", "bob", *CRASHES, *SLIPS):
        gate.key(name)
    with gate:
        yield gate
        assert gate.stop() == 0
        assert not gate.orphans()
        assert "Traceback" not in gate.log


@asynccontextmanager
async def client_of(gate: Gateway, upstream: str, who: str = "alice") -> AsyncIterator[McpClient]:
    async with http_client() as http:
        yield McpClient(http, f"{gate.url}/{upstream}", gate.key(who))


async def still_well(gate: Gateway) -> None:
    """Another upstream answers another person as if nothing had happened."""
    async with client_of(gate, "steady", "bob") as bob:
        assert (await bob.call("echo", {"n": 1})).result["content"][0]["text"] == '{"n": 1}'


async def outcome_of(gate: Gateway, said: Said) -> str:
    """The reason in the journal's outcome row; there must be an intent before it."""
    rows = await gate.awaited(
        lambda g: [r for r in g.rows(call=said.call) if r.kind == "call.outcome"]
    )
    assert gate.rows(call=said.call)[0].kind == "call.intent"
    return str(rows[-1].reason)


@pytest.mark.parametrize(("tool", "reason"), [*CRASHES.items(), *SLIPS.items()])
async def test_a_bad_answer_is_refused_and_recorded(gate: Gateway, tool: str, reason: str) -> None:
    async with client_of(gate, "odd", tool) as client:  # each with a process of their own
        said = await client.call(tool)
        assert (said.status, said.reason) == (200, reason), said.text[:300]
        assert await outcome_of(gate, said) == reason
        # The link is as it was, or made anew: one failure rests nobody.
        assert (await client.call("echo", {"again": tool})).result["content"]
    await still_well(gate)


def intents(gate: Gateway, target: str) -> int:
    found = gate.rows(target=target, upstream="family")
    return len([r for r in found if r.kind == "call.intent"])


async def test_a_crash_costs_all_calls_in_flight_on_that_link_and_no_other(gate: Gateway) -> None:
    async with client_of(gate, "family") as alice, client_of(gate, "family", "bob") as bob:
        before = (await alice.call("who")).result
        waiting = [asyncio.ensure_future(alice.call("hang", id=n)) for n in range(3)]
        others = asyncio.ensure_future(bob.call("late"))
        await gate.awaited(lambda g: intents(g, "hang") == 3 and intents(g, "late") == 1)
        crash = await alice.call("exit")
        assert {(await one).reason for one in waiting} == {"upstream.crashed"} == {crash.reason}
        assert (await bob.call("echo")).result["content"]
        assert (await others).result["content"][0]["text"] == "too late"
        assert (await alice.call("who")).result != before


async def test_a_late_answer_is_given_to_nobody(gate: Gateway) -> None:
    async with client_of(gate, "steady") as client:
        late = await client.call("late")
        assert late.reason == "upstream.timeout"
        # The next call makes it answer the one before, too.
        said = await client.call("echo", {"mine": True})
        assert said.result["content"][0]["text"] == '{"mine": true}'
        said = await client.call("echo", {"mine": 2})
        assert said.result["content"][0]["text"] == '{"mine": 2}'
    assert await outcome_of(gate, late) == "upstream.timeout"


@pytest.mark.parametrize(("kind", "reason"), LISTS.items())
async def test_a_bad_list_is_refused_or_its_good_part_gets_through(
    gate: Gateway, kind: str, reason: str
) -> None:
    async with client_of(gate, kind) as client:
        said = await client.modern("tools/list")
        assert (said.status, said.reason) == (200, reason), said.text[:300]
        if not reason:
            return
        assert await outcome_of(gate, said) == reason
        called = await client.call("echo")
        assert called.reason in {"resolve.no-catalogue", "upstream.backing-off"}
    await still_well(gate)


async def test_a_tool_list_of_two_megabytes_gets_through_page_by_page(gate: Gateway) -> None:
    async with client_of(gate, "big") as client:
        names: list[str] = []
        size, cursor = 0, None
        while True:
            said = await client.modern("tools/list", {"cursor": cursor} if cursor else {})
            names += [tool["name"] for tool in said.result["tools"]]
            size += len(said.text)
            assert len(said.text) < 2**20, "more than clients take in one event"
            cursor = said.result.get("nextCursor")
            if cursor is None:
                break
        assert names == [f"t{n}" for n in range(1_000)]
        assert size > 2_000_000
        assert (await client.call("t999", {"n": 1})).result["content"]


async def test_items_of_a_list_that_nobody_could_call_are_left_out(gate: Gateway) -> None:
    async with client_of(gate, "odd-items") as client:
        said = await client.modern("tools/list")
        names = [tool["name"] for tool in said.result["tools"]]
        assert "echo" in names
        assert all(isinstance(name, str) for name in names)


async def test_a_reply_just_over_the_cap_is_refused_and_one_under_it_passes(gate: Gateway) -> None:
    async with client_of(gate, "steady") as client:
        fits = await client.call("large", {"n": 3 * 2**20})
        assert len(fits.result["content"][0]["text"]) == 3 * 2**20
        said = await client.call("large", {"n": 5 * 2**20})
        assert said.reason == "upstream.too-large"
    assert await outcome_of(gate, said) == "upstream.too-large"
    await still_well(gate)


@pytest.mark.parametrize(
    ("upstream", "reasons"),
    [
        ("gone", {"upstream.crashed", "upstream.unreachable"}),
        ("crash", {"upstream.crashed", "upstream.unreachable"}),
        ("silent", {"upstream.timeout", "upstream.unreachable"}),
        ("future", {"upstream.garbage", "upstream.unreachable"}),
        ("dead", {"upstream.unreachable"}),
    ],
)
async def test_an_upstream_that_cannot_be_had_is_refused(
    gate: Gateway, upstream: str, reasons: set[str]
) -> None:
    async with client_of(gate, upstream) as client:
        async with asyncio.timeout(6):  # nobody waits until even the last attempt has failed
            said = await client.modern("tools/list")
        assert said.reason in reasons, said.text
        assert await outcome_of(gate, said) == said.reason
        for _ in range(3):
            said = await client.modern("tools/list")
        assert said.reason in {*reasons, "upstream.backing-off"}
    await still_well(gate)


async def test_the_endpoint_over_all_shows_what_can_be_had_and_names_the_rest(
    gate: Gateway,
) -> None:
    async with http_client() as http:
        said = await McpClient(http, gate.url, gate.key("bob")).modern("tools/list")
    names = [tool["name"] for tool in said.result["tools"]]
    missing = said.result["_meta"]["lockgate/unavailable"]
    assert names[0] == "big__t0"
    assert {"gone", "crash", "silent", "future", "dead", "huge", "loop"} <= set(missing)
    assert not {"big", "family"} & set(missing)
    assert all(reason.startswith("upstream.") for reason in missing.values())


HTTP = {
    "hang": "upstream.timeout",
    "hang_stream": "upstream.timeout",
    "endless": "upstream.too-large",
    "endless_stream": "upstream.too-large",
    "cut": "upstream.crashed",
    "garbage": "upstream.garbage",
    "other_id": "upstream.garbage",
    "redirect": "upstream.unreachable",
    "status-200": "upstream.garbage",
    "status-404": "upstream.unreachable",
    "status-500": "upstream.unreachable",
    "status-401": "upstream.credential",
}


class Shop(FakeEndpoint):
    """Lists the tools that the tests call."""

    async def _list(self, message: dict[str, Any], out: Any) -> None:
        tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("echo", *HTTP)]
        await out.result(message, {"resultType": "complete", "tools": tools})


async def test_bad_answers_over_http_are_refused_and_recorded(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with serving(Shop("modern")) as modern, serving(Shop("legacy")) as legacy:
        bounds = {"timeout_seconds": CALL_SECONDS}
        upstreams = {
            "modern": {"url": modern, **bounds},
            "legacy": {"url": legacy, **bounds},
            "steady": python(ODD, ""),
        }
        limits = {**LIMITS, "reply_bytes": 64 * 1024}
        gate = Gateway(tmp_path_factory.mktemp("gate"), upstreams, limits=limits)
        for name in ("bob", *HTTP):
            gate.key(name)
        async with gate:
            for shop in ("modern", "legacy"):
                found = await asyncio.gather(*(_over_http(gate, shop, tool) for tool in HTTP))
                assert dict(zip(HTTP, found, strict=True)) == HTTP
            await still_well(gate)
            assert await asyncio.to_thread(gate.stop) == 0
            assert "Traceback" not in gate.log


async def _over_http(gate: Gateway, shop: str, tool: str) -> str:
    async with client_of(gate, shop, tool) as client:
        said = await client.call(tool)
        assert said.status == 200
        assert await outcome_of(gate, said) == said.reason
        assert json.loads(said.text)["id"] == 1
    return said.reason
