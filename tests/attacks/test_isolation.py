"""Two people behind one gateway: neither ever sees, uses or stops what is the other's."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.client import McpClient, Said, http_client
from support.gateway import ROOT, Gateway, python
from support.upstream_endpoint import FakeEndpoint, serving

ODD = str(ROOT / "tests" / "support" / "odd_child.py")
UPSTREAMS = {
    "own": python(ODD, "per-process"),
    "all": python(ODD, "per-process", sharing="shared"),
    "long": python(ODD, "big"),
    "held": python(ODD, "", tools={"echo": {"hold": "data-owner"}}),
}

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gate = Gateway(
        tmp_path_factory.mktemp("gate"), UPSTREAMS, limits={"burst": 1_000, "drain_seconds": 2}
    )
    gate.key("alice")
    gate.key("bob")
    with gate:
        yield gate
        assert "Traceback" not in gate.log


@asynccontextmanager
async def both(gate: Gateway, upstream: str) -> AsyncIterator[tuple[McpClient, McpClient]]:
    url = f"{gate.url}/{upstream}"
    async with http_client() as one, http_client() as other:
        yield McpClient(one, url, gate.key("alice")), McpClient(other, url, gate.key("bob"))


def text_of(said: Said) -> str:
    return str(said.result["content"][0]["text"])


def names_of(said: Said) -> set[str]:
    return {tool["name"] for tool in said.result["tools"]}


async def running(gate: Gateway, tool: str, marked: str) -> None:
    """Until the journal shows that this call is under way."""

    def find(gate: Gateway) -> object:
        rows = gate.rows(kind="call.intent", target=tool)
        return [r for r in rows if r.slots["args"].get("arguments", {}).get("mark") == marked]

    await gate.awaited(find)


async def test_nobody_goes_on_in_anothers_session(gate: Gateway) -> None:
    async with both(gate, "own") as (alice, bob):
        session = await alice.open()
        for method in ("tools/list", "ping", "tools/call"):
            said = await bob.legacy(method, {"name": "who"}, session=session)
            assert (said.status, said.reason) == (404, "session.unknown")
        said = await bob.notify("notifications/initialized", session=session)
        assert (said.status, said.reason) == (404, "session.unknown")
        assert (await alice.legacy("ping")).result == {}


async def test_nobody_ends_anothers_session(gate: Gateway) -> None:
    async with both(gate, "own") as (alice, bob):
        session = await alice.open()
        assert (await bob.close(session)).reason == "session.unknown"
        assert (await alice.legacy("ping")).result == {}


async def test_a_session_is_of_no_use_at_another_endpoint(gate: Gateway) -> None:
    async with both(gate, "own") as (alice, _):
        session = await alice.open()
        said = await alice.at(f"{gate.url}/all").legacy("ping", session=session)
        assert said.reason == "session.unknown"


async def test_a_changed_session_id_opens_nothing(gate: Gateway) -> None:
    async with both(gate, "own") as (alice, _):
        session = await alice.open()
        for at in (0, len(session) // 2, len(session) - 1):
            other = "A" if session[at] != "A" else "B"
            forged = session[:at] + other + session[at + 1 :]
            said = await alice.legacy("ping", session=forged)
            # The last letter's spare bits may decode to the very same bytes.
            assert said.reason == "session.unknown" or at == len(session) - 1


async def test_a_session_dies_on_delete(gate: Gateway) -> None:
    async with both(gate, "own") as (alice, _):
        session = await alice.open()
        assert (await alice.close()).status == 204
        assert (await alice.legacy("ping", session=session)).reason == "session.unknown"
        assert (await alice.close(session)).reason == "session.unknown"


async def test_a_session_survives_a_restart_and_its_end_too(tmp_path: Path) -> None:
    gate = Gateway(tmp_path, {"own": UPSTREAMS["own"]})
    gate.key("alice")
    async with gate, http_client() as http:
        alice = McpClient(http, gate.url, gate.key("alice"))
        ended = await alice.open()
        await alice.close()
        session = await alice.open()
        gate.kill9()
        gate.start()
        alice = alice.at(gate.url)
        assert (await alice.legacy("tools/list", session=session)).status == 200
        assert (await alice.legacy("ping", session=ended)).reason == "session.unknown"


async def test_nobody_lists_what_anothers_process_offers(gate: Gateway) -> None:
    async with both(gate, "own") as (alice, bob):
        hers, his = await asyncio.gather(alice.modern("tools/list"), bob.modern("tools/list"))
        assert names_of(hers) != names_of(his)
        own = f"own{text_of(await alice.call('who'))}"
        assert own in names_of(hers) - names_of(his)
        assert own not in names_of(await bob.modern("tools/list"))


async def test_nobody_calls_by_anothers_cached_tool_list(gate: Gateway) -> None:
    async with both(gate, "own") as (alice, bob):
        (own,) = {n for n in names_of(await alice.modern("tools/list")) if n.startswith("own")}
        assert (await alice.call(own)).result["content"]
        assert (await bob.call(own)).reason == "resolve.unknown-tool"


async def test_each_has_a_process_of_their_own_unless_it_is_shared(gate: Gateway) -> None:
    async with both(gate, "own") as (alice, bob):
        assert text_of(await alice.call("who")) != text_of(await bob.call("who"))
        assert text_of(await alice.call("who")) == text_of(await alice.call("who"))
        shared = f"{gate.url}/all"
        one, other = await alice.at(shared).call("who"), await bob.at(shared).call("who")
        assert text_of(one) == text_of(other)


async def test_nobody_pages_on_with_anothers_cursor(gate: Gateway) -> None:
    async with both(gate, "long") as (alice, bob):
        cursor = {"cursor": (await alice.modern("tools/list")).result["nextCursor"]}
        assert (await bob.modern("tools/list", cursor)).reason == "cursor.invalid"
        elsewhere = alice.at(gate.url)
        assert (await elsewhere.modern("tools/list", cursor)).reason == "cursor.invalid"
        assert (await alice.modern("prompts/list", cursor)).reason == "cursor.invalid"
        assert (await alice.modern("tools/list", cursor)).result["tools"]


async def test_nobody_hears_anothers_progress(gate: Gateway) -> None:
    """On one shared process, at once, under the same request id and progress token."""

    async def listen(client: McpClient, who: str) -> None:
        params = {"name": "progress", "arguments": {"who": who}, "_meta": {"progressToken": "t"}}
        said = await client.modern("tools/call", params, id=1)
        steps = [event["params"] for event in said.events[:-1]]
        assert [step["progressToken"] for step in steps] == ["t", "t", "t"]
        assert {step["message"] for step in steps} == {who} == {text_of(said)}

    async with both(gate, "all") as (alice, bob):
        clients = [(alice, "alice"), (bob, "bob")] * 10
        await asyncio.gather(*(listen(client, who) for client, who in clients))


async def test_the_same_request_id_of_two_people_gets_each_their_answer(gate: Gateway) -> None:
    async with both(gate, "all") as (alice, bob):
        await alice.open()
        await bob.open()

        async def ask(client: McpClient, who: str, id: int) -> None:
            call = {"name": "echo", "arguments": {"who": who}}
            assert json.loads(text_of(await client.legacy("tools/call", call, id))) == {"who": who}

        asks = [(c, who, id) for id in range(10) for c, who in ((alice, "alice"), (bob, "bob"))]
        await asyncio.gather(*(ask(*one) for one in asks))


async def test_a_request_id_that_is_in_use_is_refused_only_to_its_own_session(
    gate: Gateway,
) -> None:
    async with both(gate, "own") as (alice, bob):
        await alice.open()
        await bob.open()
        hang = {"name": "late", "arguments": {"mark": "in use"}}
        waiting = asyncio.ensure_future(alice.legacy("tools/call", hang, 7))
        await running(gate, "late", "in use")
        twice = await alice.legacy("ping", id=7)
        assert (twice.status, twice.reason) == (400, "wire.duplicate-id")
        assert (await bob.legacy("ping", id=7)).result == {}
        assert (await alice.legacy("ping", id="7")).result == {}
        await alice.legacy("tools/call", {"name": "who"}, 8)  # makes the late one answer
        assert text_of(await waiting) == "too late"


async def test_nobody_cancels_anothers_call(gate: Gateway) -> None:
    async with both(gate, "own") as (alice, bob):
        session = await alice.open()
        await bob.open()
        hang = {"name": "late", "arguments": {"mark": "cancel"}}
        waiting = asyncio.ensure_future(alice.legacy("tools/call", hang, 9))
        await running(gate, "late", "cancel")
        attempt = {"requestId": 9, "reason": "mischief"}
        assert (await bob.notify("notifications/cancelled", attempt)).status == 202
        stolen = await bob.notify("notifications/cancelled", attempt, session=session)
        assert stolen.reason == "session.unknown"
        assert not waiting.done()
        assert (await alice.notify("notifications/cancelled", attempt)).status == 202
        said = await waiting
        assert (said.status, said.text) == (202, "")
        await gate.awaited(lambda g: g.rows(kind="call.outcome", reason="call.cancelled"))


async def test_an_approval_of_one_persons_call_is_of_no_use_to_another(gate: Gateway) -> None:
    async with both(gate, "held") as (alice, bob):
        asked = await alice.call("echo", {"n": 1})
        assert asked.reason == "approval.needed"
        await asyncio.to_thread(gate.cli, "approvals", "approve", asked.call)
        assert (await bob.call("echo", {"n": 1})).reason == "approval.needed"
        assert (await alice.call("echo", {"n": 2})).reason == "approval.needed"

        async with asyncio.timeout(10):  # a running gateway notices within half a second
            while (said := await alice.call("echo", {"n": 1})).reason == "approval.needed":
                assert (await bob.call("echo", {"n": 1})).reason == "approval.needed"
        assert text_of(said) == '{"n": 1}'
        assert text_of(await alice.call("echo", {"n": 1})) == '{"n": 1}', "what came of it is kept"
        assert (await bob.call("echo", {"n": 1})).reason == "approval.needed"


class Shop(FakeEndpoint):
    """A legacy server with one tool and a session for each who initializes."""

    async def _list(self, message: dict[str, Any], out: Any) -> None:
        await out.result(message, {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]})


async def test_upstreams_see_a_session_for_each_person_and_no_credential_of_theirs(
    tmp_path: Path,
) -> None:
    shop = Shop("legacy")
    async with serving(shop) as url:
        gate = Gateway(tmp_path, {"shop": {"url": url, "headers": {"x-ours": "env:OUR_WORD"}}})
        gate.environment["OUR_WORD"] = "ours"
        keys = [gate.key("alice"), gate.key("bob")]
        async with gate:
            async with both(gate, "shop") as (alice, bob):
                for client in (alice, bob, alice):
                    assert (await client.call("echo", {"n": 1})).result
                sessions = {(r.header("mcp-session-id")) for r in shop.received}
                assert sessions == {None, "session-1", "session-2"}
                assert {r.header("x-ours") for r in shop.received} == {"ours"}
                sent = json.dumps([r.headers for r in shop.received])
                assert "authorization" not in sent
                assert not any(key in sent for key in keys)
            await asyncio.to_thread(gate.stop)


async def test_a_revoked_key_ends_what_its_session_could_do(tmp_path: Path) -> None:
    gate = Gateway(tmp_path, {"own": UPSTREAMS["own"]})
    gate.key("alice")
    gate.key("bob")
    async with gate, both(gate, "own") as (alice, bob):
        await alice.open()
        await bob.open()
        await asyncio.to_thread(gate.cli, "keys", "revoke", "--owner", "alice")
        async with asyncio.timeout(10):
            while (said := await alice.legacy("ping")).status == 200:
                pass
        assert (said.status, said.reason) == (401, "auth.invalid")
        assert (await bob.legacy("ping")).result == {}
