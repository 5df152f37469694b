"""What an upstream asks of one person is nobody else's to see, to answer or to use."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.client import (
    ACCEPT,
    LEGACY,
    McpClient,
    Said,
    Wire,
    http_client,
    posted,
    wire_to,
)
from support.gateway import Gateway
from support.upstream_endpoint import FakeEndpoint, Out, serving

pytestmark = pytest.mark.e2e

Json = dict[str, Any]

FORM = {"message": "Sure?", "requestedSchema": {"type": "object", "properties": {}}}
YES = {"action": "accept", "content": {"word": "alice's"}}
CAN: Json = {"elicitation": {}}
DELETE = {"name": "delete", "arguments": {"patient": 1}}


class Asks(FakeEndpoint):
    """Asks whether it may, in the way of its era, and repeats what it was told."""

    async def _list(self, message: Json, out: Out) -> None:
        tools = [{"name": n, "inputSchema": {"type": "object"}} for n in ("delete", "other")]
        await out.result(message, {"tools": tools})

    async def do_delete(self, message: Json, out: Out) -> None:
        if self.era == "modern":
            await self._by_rounds(message, out)
        else:
            await self._on_the_stream(message, out)

    do_other = do_delete

    async def _by_rounds(self, message: Json, out: Out) -> None:
        said = message["params"]
        if "requestState" in said:
            await out.result(message, repeated([said["requestState"], said["inputResponses"]]))
            return
        asked = {"a": {"method": "elicitation/create", "params": FORM}}
        state = f"secret of {said['arguments']['patient']}"
        await out.result(
            message,
            {"resultType": "input_required", "inputRequests": asked, "requestState": state},
        )

    async def _on_the_stream(self, message: Json, out: Out) -> None:
        id = f"ask-{message['id']}"
        await out.begin("text/event-stream")
        asked = {"jsonrpc": "2.0", "id": id, "method": "elicitation/create", "params": FORM}
        await out.event(asked)
        while not any(one.message.get("id") == id for one in self.received):
            self.told.clear()
            await self.told.wait()
        said = repeated(self.answer_to(id)["result"])
        await out.event({"jsonrpc": "2.0", "id": message["id"], "result": said})
        await out.end()


def repeated(said: object) -> Json:
    return {"resultType": "complete", "content": [{"type": "text", "text": json.dumps(said)}]}


def told(said: Said) -> Any:
    return json.loads(said.result["content"][0]["text"])


class House:
    """A gateway before ``one`` and ``two``, which are the same server, and two people."""

    def __init__(self, gate: Gateway, alice: McpClient, bob: McpClient, asks: Asks) -> None:
        self.gate = gate
        self.alice = alice
        self.bob = bob
        self.asks = asks

    @property
    def calls(self) -> int:
        """Which have reached the upstream."""
        return sum(one.message.get("method") == "tools/call" for one in self.asks.received)


@asynccontextmanager
async def house(folder: Path, era: str) -> AsyncIterator[House]:
    asks = Asks(era)
    async with serving(asks) as url:
        gate = Gateway(folder, {"one": {"url": url}, "two": {"url": url}})
        keys = gate.key("alice"), gate.key("bob")
        async with gate, http_client() as http:
            place = f"{gate.url}/one"
            yield House(
                gate, McpClient(http, place, keys[0]), McpClient(http, place, keys[1]), asks
            )
            assert "Traceback" not in gate.log
            await asyncio.to_thread(gate.stop)


async def ask(client: McpClient, **more: Any) -> Said:
    meta = {"io.modelcontextprotocol/clientCapabilities": CAN}
    return await client.modern("tools/call", {**DELETE, **more, "_meta": meta})


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_nobody_goes_on_with_a_call_that_is_not_theirs(tmp_path: Path, era: str) -> None:
    async with house(tmp_path, era) as h:
        asked = await ask(h.alice)
        assert asked.result["resultType"] == "input_required"
        assert "secret of" not in asked.text
        (key,) = asked.result["inputRequests"]
        mine = {"requestState": asked.result["requestState"], "inputResponses": {key: YES}}
        outer = {"name": "one__delete"}
        stolen = [
            await ask(h.bob, **mine),
            await ask(h.alice.at(f"{h.gate.url}/two"), **mine),
            await ask(h.alice.at(h.gate.url), **mine, **outer),
            await ask(h.alice, **mine, name="other"),
            await ask(h.alice, **mine, arguments={"patient": 2}),
            await ask(h.alice, **{**mine, "requestState": mine["requestState"][:-8]}),
        ]
        assert {(one.status, one.reason) for one in stolen} == {(400, "round.invalid")}
        assert h.calls == 1
        done = told(await ask(h.alice, **mine))
        assert done == (["secret of 1", {key: YES}] if era == "modern" else YES)
        if era == "legacy":
            assert (await ask(h.alice, **mine)).reason == "round.gone"
            assert h.calls == 1


async def test_nobody_answers_a_question_that_was_put_to_another_session(tmp_path: Path) -> None:
    async with house(tmp_path, "legacy") as h:
        alice, hers = await opened(h, "alice"), await opened(h, "alice")
        bob = await opened(h, "bob")
        async with calling(h, alice) as wire:
            question = await event(wire)
            assert question["method"] == "elicitation/create"
            assert question["id"] != "ask-2", "ids of upstreams are not told"
            forged = {"action": "accept", "content": {"word": "forged"}}
            for client in (bob, hers):
                assert (await respond(client, question["id"], forged)).status == 202
            into_hers = McpClient(bob.http, bob.url, bob.key)
            into_hers.session = alice.session
            stolen = await respond(into_hers, question["id"], forged)
            assert (stolen.status, stolen.reason) == (404, "session.unknown")
            assert (await respond(alice, question["id"], YES)).status == 202
            assert told(parse_stream(await event(wire))) == YES


async def opened(h: House, name: str) -> McpClient:
    client = McpClient(h.alice.http, h.alice.url, h.gate.key(name))
    said = {"protocolVersion": LEGACY, "capabilities": CAN, "clientInfo": {"name": "t"}}
    answer = await client.legacy("initialize", said, session="")
    client.session = answer.headers["mcp-session-id"]
    return client


@asynccontextmanager
async def calling(h: House, client: McpClient) -> AsyncIterator[Wire]:
    body = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": DELETE}
    headers = {"mcp-session-id": client.session, "accept": ACCEPT}
    async with wire_to(h.gate.base) as wire:
        await wire.send(
            posted(h.gate.base, "/mcp/one", client.key, json.dumps(body).encode(), headers)
        )
        yield wire


async def event(wire: Wire) -> Json:
    """The next message on a stream that goes on."""
    async with asyncio.timeout(20):
        while True:
            line = await wire.reader.readline()
            if line.startswith(b"data: {"):
                found: Json = json.loads(line.removeprefix(b"data: "))
                return found
            assert line, "the stream has ended"


def parse_stream(message: Json) -> Said:
    return Said(200, {}, json.dumps(message), (message,))


async def respond(client: McpClient, id: object, result: Json) -> Said:
    body = json.dumps({"jsonrpc": "2.0", "id": id, "result": result}).encode()
    headers = {"mcp-session-id": client.session, "mcp-protocol-version": LEGACY}
    return await client.post(body, headers)
