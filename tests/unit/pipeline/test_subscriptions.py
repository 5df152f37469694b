import msgspec
import orjson
import pytest

from lockgate.model import Call, Notice, Permit, Release, Reply, Terms
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.pipeline.resolve import Resolver
from lockgate.pipeline.run import Refused
from lockgate.pipeline.subscriptions import (
    SUBSCRIBE,
    UNSUBSCRIBE,
    UPDATED,
    Anchor,
    about,
    judged,
    subscribe,
    unsubscribe,
    updated,
)
from lockgate.upstream.catalogue import ToolCache
from lockgate.upstream.link import Event, Hears
from lockgate.wire.request import Request
from support.world import World, shipped_order
from worlds import ALICE, CLINIC

PREFIXED = Endpoint("/mcp", ("clinic",), prefixed=True)
RESOLVER = Resolver({"clinic": CLINIC}, ToolCache())
LISTEN = Request("modern", "2026-07-28", 1, "subscriptions/listen", log_level="info")
FORBIDDEN = 'permit(principal, action == Action::"resources/read", resource);'


ERROR = b'{"code":-32601,"message":"no"}'


class Erring:
    async def send(self, permit: Permit, hears: Hears) -> Reply:
        return Reply(permit.call, ERROR, is_error=True)


def caller(endpoint: Endpoint = PREFIXED) -> Caller:
    return Caller(ALICE, endpoint, "192.0.2.1", "c-1")


async def asked(world: World, uri: str = "lockgate+clinic:file:///a") -> Anchor | Release | Refused:
    return await subscribe(about(LISTEN, SUBSCRIBE, uri), caller(), RESOLVER, world.gate())


def anchor(uri: str, upstream: str = "clinic") -> Anchor:
    call = Call("c", ALICE, SUBSCRIBE, CLINIC, uri, orjson.dumps({"uri": uri}))
    return Anchor(call, f"outer:{uri}")


def event(uri: object, upstream: str = "clinic") -> Event:
    return Event(upstream, Terms("person:alice"), UPDATED, orjson.dumps({"uri": uri}))


async def test_a_subscription_is_a_call_with_the_upstreams_own_uri() -> None:
    world = World()
    found = await asked(world)
    assert isinstance(found, Anchor)
    assert (found.key, found.outer) == (("clinic", "file:///a"), "lockgate+clinic:file:///a")
    (permit,) = [value for what, value in world.log if what == "send"]
    assert (permit.call.method, permit.call.params) == (SUBSCRIBE, b'{"uri":"file:///a"}')
    assert [e.reason for e in world.events("call.intent")] == ["policy.permitted"]


async def test_what_policy_forbids_is_not_subscribed_to() -> None:
    world = World(shipped_order(FORBIDDEN))
    found = await asked(world)
    assert isinstance(found, Refused)
    assert found.reason == "policy.no-rule"
    assert "send" not in world.steps


async def test_an_upstreams_error_is_passed_on() -> None:
    gate = msgspec.structs.replace(World().gate(), sender=Erring())
    request = about(LISTEN, SUBSCRIBE, "lockgate+clinic:file:///a")
    found = await subscribe(request, caller(), RESOLVER, gate)
    assert isinstance(found, Release)
    assert found.said.raw == ERROR


async def test_who_may_subscribe_may_unsubscribe() -> None:
    only = 'permit(principal, action == Action::"resources/subscribe", resource);'
    world = World(shipped_order(only))
    assert isinstance(await unsubscribe(anchor("file:///a"), "c-2", world.gate()), Release)
    (permit,) = [value for what, value in world.log if what == "send"]
    assert (permit.call.id, permit.call.method) == ("c-2", UNSUBSCRIBE)


async def test_only_what_has_its_shape_is_passed_on() -> None:
    world = World()
    held = anchor("file:///a").call
    assert await judged(Notice(held, UPDATED, b'{"uri":"file:///a"}'), world.gate())
    for method, raw in ((UPDATED, b'{"uri":1}'), ("notifications/odd", b"{}")):
        assert await judged(Notice(held, method, raw), world.gate()) is None
    assert world.log == [], "nothing is learnt, reserved or recorded for it"


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (event("file:///a"), ["outer:file:///a"]),
        (event("file:///a/b"), ["outer:file:///a"]),
        (event("file:///ab"), []),
        (event("file:///"), []),
        (event("file:///a", "other"), []),
        (event(1), []),
        (Event("clinic", Terms("person:alice"), UPDATED, b"[]"), []),
    ],
)
def test_an_update_is_about_what_was_subscribed_to(told: Event, found: list[str]) -> None:
    held = anchor("file:///a")
    assert [a.outer for a in updated(told, {held.key: held})] == found
