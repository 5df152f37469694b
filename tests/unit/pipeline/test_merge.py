from typing import Any

import msgspec
import orjson
import pytest

from lockgate.model import Call, Permit, Principal, Reply, Reservation, SendFailed, Upstream
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.pipeline.merge import NOTHING, PAGE_BYTES, PAGE_ITEMS, UNAVAILABLE, listed, view
from lockgate.pipeline.resolve import Resolver
from lockgate.pipeline.run import Refused
from lockgate.pipeline.sessions import Cursors
from lockgate.store.quota import MemoryBuckets, QuotaLimits, Reservations
from lockgate.store.sealing import AesGcmSealer
from lockgate.upstream.catalogue import ToolCache
from lockgate.upstream.link import Hears
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.request import Request
from support.world import PERMIT_ALL, World, shipped_order
from worlds import ALICE, BOB

NAMES = ("clinic", "time")
ALL = Endpoint("/mcp", NAMES, prefixed=True)
ONE = Endpoint("/mcp/clinic", ("clinic",), prefixed=False)
CURSORS = Cursors(AesGcmSealer(b"s" * 32))


class Lists(World):
    """Upstreams that list what they are told to; an exception is raised."""

    def __init__(
        self,
        lists: dict[str, Any],
        policy: str = PERMIT_ALL,
        marks: dict[tuple[str, str], str] | None = None,
    ) -> None:
        super().__init__(shipped_order(policy, marks))
        self.lists = lists

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        said = self.lists[permit.call.upstream.name]
        if isinstance(said, Exception):
            raise said
        if isinstance(said, bytes):
            return Reply(permit.call, said, is_error=True)
        return Reply(permit.call, orjson.dumps({"tools": said}))


def tools(*names: str, **extra: Any) -> list[dict[str, Any]]:
    return [{"name": name, "inputSchema": {}, **extra} for name in names]


def request(cursor: str | None = None, method: str = "tools/list") -> Request:
    return Request("modern", "2026-07-28", 1, method, cursor=cursor)


async def ask(
    world: World,
    endpoint: Endpoint = ALL,
    cursor: str | None = None,
    principal: Principal = ALICE,
) -> Any:
    resolver = Resolver({name: Upstream(name) for name in NAMES}, ToolCache())
    caller = Caller(principal, endpoint, "", "c-1")
    found = await listed(request(cursor), caller, resolver, world.gate(), CURSORS)
    return found if isinstance(found, Refused) else orjson.loads(found)


def names(found: Any) -> list[str]:
    return [tool["name"] for tool in found["tools"]]


async def test_lists_are_merged_in_one_order_under_outer_names() -> None:
    world = Lists({"clinic": tools("b", "a"), "time": tools("now")})
    assert names(await ask(world)) == ["clinic__b", "clinic__a", "time__now"]
    assert len(world.events("call.intent")) == 2
    assert len({e.call for e in world.events("call.intent")}) == 2


async def test_one_upstream_s_endpoint_keeps_its_own_names() -> None:
    assert names(await ask(Lists({"clinic": tools("b")}), ONE)) == ["b"]


async def test_the_gateway_s_own_tool_is_listed_where_people_are_asked() -> None:
    lists = {"clinic": tools("b", "lockgate_result", "a"), "time": tools("lockgate_result")}
    marks = {("clinic", "b"): "owner"}
    everywhere = await ask(Lists(lists, marks=marks))
    assert names(everywhere) == ["lockgate_result", "clinic__b", "clinic__lockgate_result",
                                 "clinic__a", "time__lockgate_result"]  # fmt: skip
    here = await ask(Lists(lists, marks=marks), ONE)
    assert names(here) == ["lockgate_result", "b", "a"], "nothing of an upstream's has its name"
    assert here["tools"][0]["inputSchema"]["required"] == ["handle"]
    assert names(await ask(Lists(lists), ONE)) == ["b", "lockgate_result", "a"]


async def test_an_upstream_that_fails_is_named_and_the_others_are_listed() -> None:
    world = Lists({"clinic": SendFailed("upstream.timeout"), "time": tools("now")})
    found = await ask(world)
    assert names(found) == ["time__now"]
    assert found["_meta"][UNAVAILABLE] == {"clinic": "upstream.timeout"}


async def test_at_its_own_endpoint_the_failure_is_the_answer() -> None:
    found = await ask(Lists({"clinic": SendFailed("upstream.timeout")}), ONE)
    assert found.reason == "upstream.timeout"


class Limited(Lists):
    """With a rate limit of one request."""

    def __init__(self, lists: dict[str, Any]) -> None:
        super().__init__(lists)
        self.quota = Reservations(QuotaLimits(1, 1, 1), MemoryBuckets(lambda: self.now))

    def _reserve(self, call: Call) -> Reservation:
        return self.quota.learn(call)


async def test_a_list_over_all_upstreams_is_one_request_and_over_the_limit_refused_whole() -> None:
    world = Limited({"clinic": tools("a"), "time": tools("now")})
    assert names(await ask(world)) == ["clinic__a", "time__now"]
    assert (await ask(world)).reason == "quota.exceeded"


async def test_an_upstream_that_policy_closes_is_not_even_named() -> None:
    policy = 'permit(principal, action, resource in Upstream::"time");'
    found = await ask(Lists({"clinic": tools("a"), "time": tools("now")}, policy))
    assert names(found) == ["time__now"]
    assert "_meta" not in found


async def test_an_upstream_without_the_method_has_nothing_to_list() -> None:
    absent = b'{"code":-32601,"message":"no"}'
    found = await ask(Lists({"clinic": absent, "time": tools("now")}))
    assert names(found) == ["time__now"]
    assert "_meta" not in found
    assert (await ask(Lists({"clinic": absent}), ONE))["tools"] == []


async def test_an_upstream_s_error_is_named_or_is_the_answer() -> None:
    broken = b'{"code":-32603,"message":"no"}'
    found = await ask(Lists({"clinic": broken, "time": tools("now")}))
    assert found["_meta"][UNAVAILABLE] == {"clinic": "upstream.error"}
    assert (await ask(Lists({"clinic": broken}), ONE)).reason == "upstream.error"


async def test_a_long_list_comes_in_pages_until_its_end() -> None:
    many = tools(*(f"t{n}" for n in range(PAGE_ITEMS + 5)))
    world = Lists({"clinic": many, "time": tools("now")})
    first = await ask(world)
    second = await ask(world, cursor=first["nextCursor"])
    assert len(first["tools"]) == PAGE_ITEMS
    assert names(second) == [*(f"clinic__t{n}" for n in range(PAGE_ITEMS, PAGE_ITEMS + 5)),
                             "time__now"]  # fmt: skip
    assert "nextCursor" not in second


async def test_a_page_stays_small_enough_for_clients_that_cap_events() -> None:
    large = tools("a", "b", "c", description="x" * (PAGE_BYTES - 1_000))
    world = Lists({"clinic": large, "time": []})
    first = await ask(world)
    assert names(first) == ["clinic__a"]
    assert names(await ask(world, cursor=first["nextCursor"])) == ["clinic__b"]


async def test_a_cursor_is_refused_to_others_and_for_a_list_that_changed() -> None:
    many = tools(*(f"t{n}" for n in range(PAGE_ITEMS + 1)))
    world = Lists({"clinic": many, "time": []})
    cursor = (await ask(world))["nextCursor"]
    with pytest.raises(WireRefusal, match=r"cursor\.invalid"):
        await ask(world, cursor=cursor, principal=BOB)
    with pytest.raises(WireRefusal, match=r"cursor\.invalid"):
        await ask(world, ONE, cursor=cursor)
    world.lists["clinic"] = many[1:] + tools("new", "newer")
    with pytest.raises(WireRefusal, match=r"cursor\.invalid"):
        await ask(world, cursor=cursor)


async def viewed(world: World, endpoint: Endpoint, upstream: str = "clinic") -> str | None:
    resolver = Resolver({name: Upstream(name) for name in NAMES}, ToolCache())
    caller = Caller(ALICE, endpoint, "", "c-1")
    return await view(request(), upstream, caller, resolver, world.gate())


@pytest.mark.parametrize("endpoint", [ALL, ONE], ids=["all", "one"])
async def test_a_view_is_what_the_caller_may_see(endpoint: Endpoint) -> None:
    one = await viewed(Lists({"clinic": tools("a")}), endpoint)
    assert one
    assert one == await viewed(Lists({"clinic": tools("a")}), endpoint)
    assert one != await viewed(Lists({"clinic": tools("a", title="A")}), endpoint)
    assert await viewed(Lists({"clinic": []}), endpoint) == NOTHING
    down = SendFailed("upstream.unreachable", "down")
    assert await viewed(Lists({"clinic": down}), endpoint) is None
    forbidden = Lists({"clinic": tools("a")}, policy="forbid(principal, action, resource);")
    assert await viewed(forbidden, endpoint) == NOTHING
    hidden = "permit(principal, action, resource) unless { resource has name };"
    assert await viewed(Lists({"clinic": tools("a")}, policy=hidden), endpoint) == NOTHING


@pytest.mark.parametrize("down", [False, True])
async def test_who_lists_is_said_to_have_seen_exactly_that(down: bool) -> None:
    time: object = SendFailed("upstream.unreachable", "down") if down else []
    world, shown = Lists({"clinic": tools("a"), "time": time}), []
    resolver = Resolver({name: Upstream(name) for name in NAMES}, ToolCache())
    caller = Caller(ALICE, ALL, "", "c-1")
    await listed(request(), caller, resolver, world.gate(), CURSORS,
                 lambda *seen: shown.append(seen))  # fmt: skip
    ((who, what, views),) = shown
    assert (who, what.method) == (caller, "tools/list")
    assert views.keys() == ({"clinic"} if down else {"clinic", "time"})
    assert views["clinic"] == await viewed(world, ALL)


def test_an_endpoint_is_a_value() -> None:
    assert msgspec.structs.replace(ALL, path="/x").upstreams == NAMES
