import asyncio
from typing import Any

import msgspec
import orjson
import pytest

from lockgate.model import Call, Permit, Reply, SendFailed, Upstream
from lockgate.pipeline.caller import Caller, Endpoint
from lockgate.pipeline.resolve import UNLISTED_MS, Resolver, outer_result
from lockgate.pipeline.sessions import TaskRef
from lockgate.upstream.catalogue import ToolCache, tools_in
from lockgate.upstream.link import Hears
from lockgate.wire.methods import Names
from lockgate.wire.names import join
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.request import Request
from support.world import World, shipped_order
from worlds import ALICE, BOB

LONG = "a-very-long-tool-name-that-does-not-fit-into-sixty-four-characters"
ALL = Endpoint("/mcp", ("clinic", "time"), prefixed=True)
ONE = Endpoint("/mcp/clinic", ("clinic",), prefixed=False)
UPSTREAMS = {name: Upstream(name) for name in ALL.upstreams}


class Listing(World):
    """Every upstream lists the same tools, and the book learns them, as the forwarder does."""

    def __init__(self, book: ToolCache, *names: str) -> None:
        super().__init__(shipped_order())
        self.book = book
        self.names = names

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        call = permit.call
        self.log.append(("send", permit))
        raw = orjson.dumps({"tools": [{"name": n, "inputSchema": {}} for n in self.names]})
        self.book.put(call.upstream, call.terms, tools_in(call.upstream, raw))
        return Reply(call, raw)


def request(method: str, name: str, names: Names, params: dict[str, Any]) -> Request:
    return Request("modern", "2026-07-28", 1, method, name, orjson.dumps(params), names=names)


def tool_request(name: str) -> Request:
    return request("tools/call", name, "tool", {"name": name, "arguments": {}, "x": 1})


async def resolve(
    asked: Request, endpoint: Endpoint = ALL, world: Listing | None = None
) -> tuple[Any, Listing]:
    world = world or Listing(ToolCache(), "get", LONG)
    caller = Caller(ALICE, endpoint, "192.0.2.1", "c-1")
    return await Resolver(UPSTREAMS, world.book).call_of(asked, caller, world.gate()), world


async def test_a_tool_is_found_by_its_outer_name_and_sent_by_its_own() -> None:
    call, _ = await resolve(tool_request("clinic__get"))
    assert (call.upstream.name, call.target, call.tool.name) == ("clinic", "get", "get")
    assert orjson.loads(call.params) == {"name": "get", "arguments": {}, "x": 1}
    assert call.envelope.peer == "192.0.2.1"


async def test_trace_ids_do_not_make_another_call() -> None:
    def traced(meta: dict[str, str]) -> Request:
        return request("tools/call", "clinic__get", "tool", {"name": "clinic__get", "_meta": meta})

    one, world = await resolve(traced({"traceparent": "00-a", "tracestate": "x", "v": "1"}))
    other, _ = await resolve(traced({"traceparent": "00-b", "v": "1"}), world=world)
    assert one.digest == other.digest
    assert b"00-" not in one.params
    assert b'"v":"1"' in one.params
    baggage, _ = await resolve(traced({"baggage": "role=admin", "v": "1"}), world=world)
    assert baggage.digest != one.digest


async def test_a_meta_that_says_nothing_does_not_make_another_call() -> None:
    def told(**meta: dict[str, str]) -> Request:
        return request("tools/call", "clinic__get", "tool", {"name": "clinic__get", **meta})

    none, world = await resolve(told())
    for meta in ({}, {"traceparent": "00-a"}):
        call, _ = await resolve(told(_meta=meta), world=world)
        assert call.digest == none.digest
        assert call.params == none.params


async def test_a_shortened_name_finds_its_tool() -> None:
    outer = join("clinic", LONG)
    assert outer != f"clinic__{LONG}"
    call, _ = await resolve(tool_request(outer))
    assert call.target == LONG


async def test_no_two_tools_share_an_outer_name() -> None:
    twin = join("clinic", LONG).removeprefix("clinic__")  # what LONG would be shortened to
    world = Listing(ToolCache(), LONG, twin)
    call, _ = await resolve(tool_request(f"clinic__{twin}"), world=world)
    raw = orjson.dumps({"tools": [{"name": LONG}, {"name": twin}]})
    listing = world.log[world.steps.index("send")][1].call
    shown = orjson.loads(Resolver(UPSTREAMS, world.book).outer_list(listing, raw))["tools"]
    outer = [tool["name"] for tool in shown]
    assert len(set(outer)) == 2
    assert call.target == twin
    assert (await resolve(tool_request(outer[0]), world=world))[0].target == LONG


def task_request() -> Request:
    said = {"taskId": "outer", "_meta": {"traceparent": "00-a"}, "inputResponses": {"a": {}}}
    return request("tasks/update", "outer", "task", said)


TASK = TaskRef(ALICE.holder, ALL.path, "clinic", "", "get", "their-id")


async def about(
    task: TaskRef, endpoint: Endpoint = ALL, upstreams: dict[str, Upstream] = UPSTREAMS
) -> tuple[Call, Listing]:
    world = Listing(ToolCache(), "get", LONG, "other")
    resolver = Resolver(upstreams, world.book)
    caller = Caller(ALICE, endpoint, "192.0.2.1", "c-1")
    return await resolver.task_call(task_request(), caller, task, world.gate()), world


async def test_a_request_about_a_task_goes_to_its_upstream_under_its_own_id() -> None:
    call, world = await about(TASK)
    assert (call.id, call.method, call.upstream.name) == ("c-1", "tasks/update", "clinic")
    assert (call.target, call.tool.name if call.tool else "") == ("their-id", "get")
    assert call.params == b'{"taskId":"their-id","inputResponses":{"a":{}}}'
    assert "send" in world.steps, "the tools were listed for it"


async def test_a_task_is_of_the_tool_of_exactly_its_name() -> None:
    named = msgspec.structs.replace(TASK, tool=LONG)
    assert (await about(named))[0].tool == (await resolve(tool_request(join("clinic", LONG))))[
        0
    ].tool
    gone = msgspec.structs.replace(TASK, tool=join("clinic", LONG).removeprefix("clinic__"))
    with pytest.raises(WireRefusal, match=r"resolve\.unknown-tool"):
        await about(gone)


@pytest.mark.parametrize("case", ["gone", "moved", "elsewhere"])
async def test_a_task_of_an_upstream_that_is_another_now_is_unknown(case: str) -> None:
    endpoint, upstreams = ALL, UPSTREAMS
    match case:
        case "gone":
            upstreams = {"time": Upstream("time")}
        case "moved":
            upstreams = UPSTREAMS | {"clinic": Upstream("clinic", fingerprint="another")}
        case "elsewhere":
            endpoint = Endpoint("/mcp/time", ("time",), prefixed=False)
    with pytest.raises(WireRefusal, match=r"task\.unknown"):
        await about(TASK, endpoint, upstreams)


async def test_at_one_upstream_s_endpoint_names_are_its_own() -> None:
    call, _ = await resolve(tool_request("get"), ONE)
    assert call.target == "get"
    with pytest.raises(WireRefusal, match="unknown-tool"):
        await resolve(tool_request("clinic__get"), ONE)


async def test_tools_are_listed_once_as_the_system_over_the_caller_s_connection() -> None:
    call, world = await resolve(tool_request("clinic__get"))
    listing = world.log[world.steps.index("send")][1].call
    assert (listing.principal.kind, listing.principal.holder) == ("system", ALICE.holder)
    assert world.events("call.intent")[0].header["method"] == "tools/list"
    await resolve(tool_request("clinic__get"), world=world)
    assert world.steps.count("send") == 1
    assert call.principal == ALICE


async def test_another_principal_s_list_is_not_used() -> None:
    _, world = await resolve(tool_request("clinic__get"))
    caller = Caller(BOB, ALL, "", "c-2")
    resolver = Resolver(UPSTREAMS, world.book)
    await resolver.call_of(tool_request("clinic__get"), caller, world.gate())
    assert world.steps.count("send") == 2


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (tool_request("clinic__none"), "resolve.unknown-tool"),
        (tool_request("other__get"), "resolve.unknown-tool"),
        (tool_request("get"), "resolve.unknown-tool"),
        (request("prompts/get", "other__p", "prompt", {"name": "x"}), "resolve.unknown-prompt"),
        (request("resources/read", "file:///etc", "uri", {"uri": "x"}), "resolve.unknown-resource"),
        (
            request("resources/read", "lockgate+other:a://b", "uri", {"uri": "x"}),
            "resolve.unknown-resource",
        ),
    ],
)
async def test_what_goes_by_no_such_name_is_refused(asked: Request, reason: str) -> None:
    with pytest.raises(WireRefusal) as refused:
        await resolve(asked)
    assert refused.value.reason == reason


async def test_tools_that_cannot_be_listed_cannot_be_called() -> None:
    world = Listing(ToolCache(), "get")
    world.order = shipped_order('forbid(principal, action == Action::"tools/list", resource);')
    with pytest.raises(WireRefusal, match="no-catalogue"):
        await resolve(tool_request("clinic__get"), world=world)


async def test_an_account_that_is_not_connected_is_told_and_tried_again_at_once() -> None:
    class NotConnected(Listing):
        connected = False

        async def send(self, permit: Permit, hears: Hears) -> Reply:
            if not self.connected:
                raise SendFailed("upstream.connect", "not connected", "Open <a link>")
            return await super().send(permit, hears)

    world = NotConnected(ToolCache(), "get")
    resolver = Resolver(UPSTREAMS, world.book)
    caller, asked = Caller(ALICE, ALL, "", "c-1"), tool_request("clinic__get")
    with pytest.raises(WireRefusal) as refused:
        await resolver.call_of(asked, caller, world.gate())
    assert (refused.value.reason, refused.value.detail) == ("upstream.connect", "Open <a link>")
    world.connected = True
    assert (await resolver.call_of(asked, caller, world.gate())).target == "get"


async def test_an_upstream_that_cannot_be_listed_is_not_asked_again_at_once() -> None:
    world = Listing(ToolCache(), "get")
    world.order = shipped_order('forbid(principal, action == Action::"tools/list", resource);')
    resolver = Resolver(UPSTREAMS, world.book)

    async def ask(who: Any) -> None:
        caller = Caller(who, ALL, "", "c-1")
        with pytest.raises(WireRefusal, match="no-catalogue"):
            await resolver.call_of(tool_request("clinic__get"), caller, world.gate())

    for _ in range(3):
        await ask(ALICE)
    assert len(world.events("call.intent")) == 1
    await ask(BOB)
    assert len(world.events("call.intent")) == 2
    world.now += UNLISTED_MS
    await ask(ALICE)
    assert len(world.events("call.intent")) == 3


async def test_calls_that_wait_for_one_list_make_one_list() -> None:
    world = Listing(ToolCache(), "get")
    resolver, caller = Resolver(UPSTREAMS, world.book), Caller(ALICE, ALL, "", "c-1")
    asked = (resolver.call_of(tool_request("clinic__get"), caller, world.gate()) for _ in range(5))
    assert len({call.digest for call in await asyncio.gather(*asked)}) == 1
    assert world.steps.count("send") == 1


async def test_a_resource_is_read_by_its_own_uri() -> None:
    outer = "lockgate+clinic:clinic://wards"
    call, _ = await resolve(request("resources/read", outer, "uri", {"uri": outer}))
    assert (call.target, orjson.loads(call.params)) == ("clinic://wards", {"uri": "clinic://wards"})


async def test_results_name_things_as_clients_know_them() -> None:
    call, _ = await resolve(tool_request("clinic__get"))
    raw = b'{"content":[{"type":"resource_link","uri":"clinic://wards","name":"w"}]}'
    assert b'"lockgate+clinic:clinic://wards"' in outer_result(call, raw)


async def made_again(asked: Call, world: Listing, **upstreams: Upstream) -> Call:
    caller = Caller(BOB, ONE, "192.0.2.9", "c-1.a2")
    resolver = Resolver(upstreams or UPSTREAMS, world.book)
    return await resolver.again(asked, caller, world.gate())


async def test_a_call_is_made_again_as_things_are_now() -> None:
    call, world = await resolve(tool_request("clinic__get"))
    asked = msgspec.structs.replace(call, envelope=msgspec.structs.replace(
        call.envelope, session="s", progress=True, capabilities=b'{"elicitation":{}}',
        asks=b'{"elicitation":{}}'))  # fmt: skip
    moved = Upstream("clinic", trust="trusted", fingerprint="elsewhere")
    lists = world.steps.count("send")
    again = await made_again(asked, world, clinic=moved)
    assert world.steps.count("send") == lists + 1, "its definition is asked for, not remembered"
    assert (again.id, again.part_of, again.principal) == ("c-1.a2", "c-1", BOB)
    assert (again.params, again.target, again.tool) == (call.params, call.target, call.tool)
    assert again.upstream == moved
    said = again.envelope
    assert (said.session, said.progress, said.asks, said.capabilities) == ("", False, b"{}", b"{}")


async def test_what_is_not_there_any_more_is_not_made_again() -> None:
    call, world = await resolve(tool_request("clinic__get"))
    with pytest.raises(WireRefusal, match="unknown-tool"):
        await made_again(call, world, time=Upstream("time"))
    world.names = (LONG,)
    with pytest.raises(WireRefusal, match="unknown-tool"):
        await made_again(call, world)


async def test_what_names_no_tool_is_made_again_without_a_list() -> None:
    call = Call("c-1", ALICE, "resources/read", UPSTREAMS["clinic"], "file:///a", b'{"uri":"a"}')
    world = Listing(ToolCache())
    assert (await made_again(call, world)).target == "file:///a"
    assert "send" not in world.steps
