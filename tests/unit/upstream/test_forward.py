import asyncio
import json

import pytest

from lockgate.model import (
    SYSTEM,
    Call,
    Decision,
    Effect,
    Envelope,
    Permit,
    Principal,
    SendFailed,
    Terms,
    Tool,
    Upstream,
    Verdict,
)
from lockgate.upstream.catalogue import Changed, Registry, ToolCache
from lockgate.upstream.forward import Forwarder
from lockgate.upstream.link import Hears, Link, LinkReply, Peer
from lockgate.upstream.pool import Pool
from lockgate.upstream.target import Bounds, HttpTarget, Registered
from support.fake_link import Ear, FakeLink

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
        self.changed: list[tuple[Call, Changed]] = []
        self.forwarder = Forwarder(registry, self.pool, self.tools, self._changed)
        self.ear = Ear()

    def _changed(self, call: Call, changed: Changed) -> None:
        self.changed.append((call, changed))

    async def connect(self, registered: Registered, terms: Terms) -> Link:
        self.links.append(FakeLink(lambda *_: self.reply))
        return self.links[-1]

    async def send(self, call: Call) -> LinkReply:
        said = await self.forwarder.send(permit(call), self.ear)
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


async def test_a_tool_that_is_another_now_is_told_with_the_call_that_found_it() -> None:
    world = World()
    for text in ("old", "old", "new", "new"):
        world.reply = LinkReply(b'{"tools":[{"name":"t","description":"%b"}]}' % text.encode())
        await world.forwarder.send(permit(call("tools/list")), world.ear)
    ((found, changed),) = world.changed
    assert found.method == "tools/list"
    assert (changed.tool.name, b"new" in changed.tool.raw) == ("t", True)
    await world.pool.close_all()


async def test_an_error_is_a_reply() -> None:
    assert (await World(b'{"code":-32602,"message":"no"}', True).send(call())).is_error


async def test_tasks_are_not_looked_for_in_another_era() -> None:
    assert (await World(b"{}").send(call("tasks/get"))).raw == b"{}"
    world = World(b"{}")

    async def connect(_: Registered, __: Terms) -> Link:
        link = FakeLink()
        link.peer = Peer("legacy", "2025-11-25")
        world.links.append(link)
        return link

    pool = Pool(connect, lambda: 0.0)
    forwarder = Forwarder(Registry([Registered(OWN, HttpTarget("http://own"))]), pool)
    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        with pytest.raises(SendFailed) as failed:
            await forwarder.send(permit(call(method)), world.ear)
        assert failed.value.reason == "task.other-era"
    assert [link.asked for link in world.links] == [[]]
    await pool.close_all()


async def test_what_is_heard_meanwhile_goes_to_who_asked() -> None:
    world = World()
    await world.send(call(progress=True))
    assert world.ear.notes == [("notifications/progress", {"progress": 1})]


async def test_the_deadline_stands_still_while_somebody_is_asked() -> None:
    """Three times as long as the call may take. Afterwards it runs on, and ends the call."""
    world, over = World(), asyncio.Event()
    registered = Registered(OWN, HttpTarget("http://own"), Bounds(call_seconds=0.0, list_seconds=9))

    class Asking(FakeLink):
        async def request(self, *_: object, hears: Hears | None = None, **__: object) -> LinkReply:
            assert hears
            said = await hears.ask("roots/list", b"{}", "legacy")
            over.set()
            await asyncio.Event().wait()
            return said

    async def connect(_: Registered, __: Terms) -> Link:
        return Asking()

    pool = Pool(connect, lambda: 0.0)
    world.ear.hold = asyncio.Event()
    sending = Forwarder(Registry([registered]), pool).send(permit(call()), world.ear)
    running = asyncio.create_task(sending)
    await world.ear.asked.wait()
    await asyncio.wait({running}, timeout=0.3)
    assert not running.done()
    world.ear.hold.set()
    with pytest.raises(SendFailed) as failed:
        await running
    assert failed.value.reason == "upstream.timeout"
    assert over.is_set()
    await pool.close_all()


async def test_a_tool_list_is_cleaned_and_remembered_for_who_asked() -> None:
    tools = [{"name": "a"}, {"name": "twice"}, {"name": "twice"}]
    world = World(json.dumps({"tools": tools}).encode())
    said = await world.send(call("tools/list"))
    assert json.loads(said.raw) == {"tools": [{"name": "a"}]}
    assert world.links[0].asked == [("tools/list", b"{}", None)]
    remembered = world.tools.tools("own", Terms("person:alice"))
    assert remembered is not None
    assert [tool.name for tool in remembered] == ["a"]
    assert world.tools.tools("own", Terms("person:bob")) is None


async def test_a_refused_list_teaches_nothing() -> None:
    world = World(b'{"code":-32601,"message":"no"}', True)
    assert (await world.send(call("tools/list"))).is_error
    assert world.tools.tools("own", Terms("person:alice")) is None


async def test_our_own_traffic_uses_the_link_it_is_for() -> None:
    world = World(b'{"tools":[]}')
    system = Principal("system", "lockgate", on_behalf="person:alice")
    assert SYSTEM.id == system.id
    await world.send(call("tools/list", principal=system))
    assert world.tools.tools("own", Terms("person:alice")) == ()


async def test_an_upstream_gone_or_changed_is_unavailable() -> None:
    world = World()
    asked = call()
    for registry in (Registry(), Registry([Registered(Upstream("own", "trusted"),
                                                      HttpTarget("http://own"))])):  # fmt: skip
        with pytest.raises(SendFailed) as failed:
            await Forwarder(registry, world.pool).send(permit(asked), world.ear)
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

    async def connect(registered: Registered, terms: Terms) -> Link:
        await never.wait()
        return await world.connect(registered, terms)

    pool = Pool(connect, lambda: 0.0)
    registry = Registry([Registered(OWN, HttpTarget("http://own"), bounds)])
    with pytest.raises(SendFailed) as failed:
        await Forwarder(registry, pool).send(permit(call(method)), world.ear)
    assert failed.value.reason == "upstream.timeout"
    assert [one.state for one in pool.descriptions()] == ["connecting"], "for the next call"
    await pool.close_all()
