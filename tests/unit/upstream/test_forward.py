import asyncio
import json

import pytest

from lockgate.model import (
    SYSTEM,
    Call,
    Decision,
    Effect,
    Envelope,
    Notice,
    Permit,
    Principal,
    SendFailed,
    Tool,
    Upstream,
    Verdict,
)
from lockgate.upstream.catalogue import Registry, ToolCache
from lockgate.upstream.forward import Forwarder
from lockgate.upstream.link import Link, LinkReply
from lockgate.upstream.pool import Pool
from lockgate.upstream.target import Bounds, HttpTarget, Registered
from support.fake_link import FakeLink

OWN = Upstream("own")
ALICE = Principal("person", "alice")
TOOL = Tool("own", "t", b'{"name":"t"}', b"{}")


class World:
    def __init__(self, reply: bytes = b'{"content":[]}', is_error: bool = False) -> None:
        self.links: list[FakeLink] = []
        self.reply = LinkReply(reply, is_error)
        self.tools = ToolCache()
        self.pool = Pool(self.connect, lambda: 0.0)
        registry = Registry([Registered(OWN, HttpTarget("http://own"))])
        self.forwarder = Forwarder(registry, self.pool, self.tools)
        self.heard: list[Notice] = []

    async def connect(self, registered: Registered) -> Link:
        self.links.append(FakeLink(lambda *_: self.reply))
        return self.links[-1]

    async def send(self, call: Call) -> LinkReply:
        said = await self.forwarder.send(permit(call), self.heard.append)
        assert said.call is call
        await self.pool.close_all()
        return LinkReply(said.raw, said.is_error)


def permit(call: Call) -> Permit:
    verdict = Verdict("test.yes", Effect.PERMIT, "policy.permitted")
    return Permit(call, Decision(call.digest, (verdict,), frozenset({"test.yes"})))


def call(method: str = "tools/call", progress: bool = False, **rest: object) -> Call:
    who = rest.get("principal", ALICE)
    assert isinstance(who, Principal)
    envelope = Envelope(progress=progress)
    return Call("c", who, method, OWN, "t", b'{"name":"t"}', TOOL, envelope)


async def test_a_call_is_sent_as_it_is_and_answered_raw() -> None:
    world = World(b'{"content":[],"x": 1.50}')
    assert (await world.send(call())).raw == b'{"content":[],"x": 1.50}'
    assert world.links[0].asked == [("tools/call", b'{"name":"t"}', TOOL)]
    assert world.links[0].progress is None


async def test_an_error_is_a_reply() -> None:
    assert (await World(b'{"code":-32602,"message":"no"}', True).send(call())).is_error


async def test_progress_is_asked_for_only_if_the_client_did() -> None:
    world = World()
    asked = call(progress=True)
    await world.send(asked)
    assert world.heard == [Notice(asked, "notifications/progress", b'{"progress":1}')]


async def test_a_tool_list_is_cleaned_and_remembered_for_who_asked() -> None:
    tools = [{"name": "a"}, {"name": "twice"}, {"name": "twice"}]
    world = World(json.dumps({"tools": tools}).encode())
    said = await world.send(call("tools/list"))
    assert json.loads(said.raw) == {"tools": [{"name": "a"}]}
    assert world.links[0].asked == [("tools/list", b"{}", None)]
    remembered = world.tools.tools("own", "person:alice")
    assert remembered is not None
    assert [tool.name for tool in remembered] == ["a"]
    assert world.tools.tools("own", "person:bob") is None


async def test_a_refused_list_teaches_nothing() -> None:
    world = World(b'{"code":-32601,"message":"no"}', True)
    assert (await world.send(call("tools/list"))).is_error
    assert world.tools.tools("own", "person:alice") is None


async def test_our_own_traffic_uses_the_link_it_is_for() -> None:
    world = World(b'{"tools":[]}')
    system = Principal("system", "lockgate", on_behalf="person:alice")
    assert SYSTEM.id == system.id
    await world.send(call("tools/list", principal=system))
    assert world.tools.tools("own", "person:alice") == ()


async def test_an_upstream_gone_or_changed_is_unavailable() -> None:
    world = World()
    asked = call()
    for registry in (Registry(), Registry([Registered(Upstream("own", "trusted"),
                                                      HttpTarget("http://own"))])):  # fmt: skip
        with pytest.raises(SendFailed) as failed:
            await Forwarder(registry, world.pool).send(permit(asked), world.heard.append)
        assert failed.value.reason == "upstream.unavailable"
    assert world.links == []


@pytest.mark.parametrize(
    ("method", "bounds"),
    [
        ("tools/call", Bounds(call_seconds=0.01)),
        ("tools/list", Bounds(call_seconds=0.01, list_seconds=60)),
        ("tools/list", Bounds(call_seconds=60, list_seconds=0.01)),
    ],
)
async def test_the_deadline_holds_for_connecting_too(method: str, bounds: Bounds) -> None:
    world = World()
    never = asyncio.Event()

    async def connect(registered: Registered) -> Link:
        await never.wait()
        return await world.connect(registered)

    pool = Pool(connect, lambda: 0.0)
    registry = Registry([Registered(OWN, HttpTarget("http://own"), bounds)])
    with pytest.raises(SendFailed) as failed:
        await Forwarder(registry, pool).send(permit(call(method)), world.heard.append)
    assert failed.value.reason == "upstream.timeout"
    assert [one.state for one in pool.descriptions()] == ["connecting"], "for the next call"
    await pool.close_all()
