import asyncio
from typing import Any

import msgspec
import orjson
import pytest

from lockgate.app.changes import AT_ONCE, MOST_TRIES, REMEMBERED
from lockgate.model import Call, Permit, Reply, SendFailed, Terms, Upstream
from lockgate.pipeline.caller import Endpoint
from lockgate.pipeline.merge import Seen
from lockgate.pipeline.resolve import Resolver
from lockgate.upstream.catalogue import tools_in
from lockgate.upstream.link import Event, Hears
from support.attending import ALICE, Client, listening, settled
from support.scenario import Stage
from support.staged import BOB, regate, stage_of

HIDDEN = """
permit(principal, action, resource) unless { resource has name && resource.name == "hidden" };
"""
TOOLS = "notifications/tools/list_changed"
PROMPTS = "notifications/prompts/list_changed"
RESOURCES = "notifications/resources/list_changed"
MEMBERS = {"tools/list": "tools", "prompts/list": "prompts", "resources/list": "resources",
           "resources/templates/list": "resourceTemplates"}  # fmt: skip
SOON = 0.01


class Lists:
    """An upstream of lists. ``failing``: so many times it cannot be reached."""

    def __init__(self, stage: Stage) -> None:
        self.lists: dict[str, list[Any]] = {method: [] for method in MEMBERS}
        self.lists["tools/list"] = [tool("one")]
        self.asked: list[Call] = []
        self.failing = 0
        self.reached = asyncio.Event()
        self.hold: asyncio.Event | None = None
        self.most = self._now = 0
        """Requests at the same time."""
        self._tools = stage.gateway.state.resolver._book
        regate(stage, sender=self)

    async def send(self, permit: Permit, hears: Hears) -> Reply:
        call = permit.call
        self.asked.append(call)
        self.reached.set()
        self._now += 1
        self.most = max(self.most, self._now)
        await (self.hold.wait() if self.hold else asyncio.sleep(0))
        self._now -= 1
        if self.failing:
            self.failing -= 1
            raise SendFailed("upstream.unreachable", "simulated")
        if call.method not in MEMBERS:
            return Reply(call, b'{"content":[]}')
        raw = orjson.dumps({MEMBERS[call.method]: self.lists[call.method]})
        if call.method == "tools/list":
            self._tools.put(call.upstream, call.terms, tools_in(call.upstream, raw))  # type: ignore[attr-defined]
        return Reply(call, raw)

    @property
    def looks(self) -> int:
        return len(self.asked)


def tool(name: str, **rest: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object"}, **rest}


def stage(policy: str = HIDDEN) -> tuple[Stage, Lists]:
    made = stage_of(policy=policy)
    changes = made.gateway.hub.changes
    changes.gather_seconds = changes.least_seconds = SOON
    return made, Lists(made)


async def attending(made: Stage, path: str = "/mcp/clinic", *, listed: bool = True) -> Client:
    client = Client(made, path)
    await client.attend()
    if listed:
        await client.legacy("tools/list", {}, "first")
    return client


def say(made: Stage, method: str = TOOLS, terms: Terms | None = None) -> None:
    made.gateway.hub.hear(Event("clinic", terms or Terms(ALICE), method))


async def told(made: Stage, client: Client) -> list[str]:
    await settled(made.gateway.hub)
    return [message["method"] for message in client.told()]


async def test_a_change_that_may_be_seen_is_told() -> None:
    made, upstream = stage()
    alice = await attending(made)
    for name in ("two", "three"):
        upstream.lists["tools/list"].append(tool(name))
        say(made)
        assert await told(made, alice) == [TOOLS]
    upstream.lists["tools/list"][0]["description"] = "otherwise"
    say(made)
    assert await told(made, alice) == [TOOLS]


async def test_a_change_that_nobody_may_see_is_not_told() -> None:
    made, upstream = stage()
    alice = await attending(made)
    upstream.lists["tools/list"].append(tool("hidden"))
    say(made)
    assert await told(made, alice) == []
    assert upstream.looks == 2
    say(made, terms=Terms("person:bob"))
    say(made, terms=Terms(ALICE, session="another"))
    assert await told(made, alice) == []
    assert upstream.looks == 2, "what is about others is not looked at"


async def test_who_has_seen_nothing_is_told_once_if_there_is_anything_to_see() -> None:
    made, upstream = stage()
    alice = await attending(made, listed=False)
    for expected in ([TOOLS], []):
        say(made)
        assert await told(made, alice) == expected
    made, upstream = stage()
    upstream.lists["tools/list"] = [tool("hidden")]
    alice = await attending(made, listed=False)
    say(made)
    assert await told(made, alice) == []


async def test_a_list_seen_before_the_stream_was_opened_counts() -> None:
    made, _ = stage()
    alice = Client(made)
    await alice.open()
    await alice.legacy("tools/list", {})
    await alice.attend()
    say(made)
    assert await told(made, alice) == []


async def test_what_the_client_has_listed_meanwhile_is_no_news() -> None:
    made, upstream = stage()
    alice = await attending(made)
    upstream.lists["tools/list"].append(tool("two"))
    say(made)
    await alice.legacy("tools/list", {}, 2)
    assert await told(made, alice) == []


async def test_a_burst_is_looked_at_once_and_looks_keep_their_distance() -> None:
    made, upstream = stage()
    made.gateway.hub.changes.least_seconds = 0.3
    alice = await attending(made)
    now = asyncio.get_running_loop().time
    for number in range(3):
        began = now()
        upstream.lists["tools/list"].append(tool(f"t{number}"))
        for _ in range(50):
            say(made)
        assert await told(made, alice) == [TOOLS]
        assert upstream.looks == 2 + number
        assert not number or now() - began > 0.2
    assert not made.gateway.hub.busy


async def test_what_comes_during_a_look_is_looked_at_after_it() -> None:
    made, upstream = stage()
    alice = await attending(made)
    upstream.reached.clear()
    say(made)
    await upstream.reached.wait()
    upstream.lists["tools/list"].append(tool("two"))
    say(made)
    assert await told(made, alice) == [TOOLS]


@pytest.mark.parametrize(
    ("kind", "method"),
    [(PROMPTS, "prompts/list"), (RESOURCES, "resources/list"),
     (RESOURCES, "resources/templates/list")],
)  # fmt: skip
async def test_each_kind_of_list_is_told_of_itself(kind: str, method: str) -> None:
    made, upstream = stage()
    alice = await attending(made, "/mcp")
    for one in MEMBERS:
        await alice.legacy(one, {}, one)
    named = {"name": "new", "uri": "file:///new", "uriTemplate": "file:///{new}"}
    upstream.lists[method] = [named]
    for said in (TOOLS, PROMPTS, RESOURCES):
        say(made, said)
    assert await told(made, alice) == [kind]


async def test_a_list_that_cannot_be_had_is_tried_again_for_a_while() -> None:
    made, upstream = stage()
    alice = await attending(made)
    upstream.lists["tools/list"].append(tool("two"))
    upstream.failing = 2
    say(made)
    assert await told(made, alice) == [TOOLS]
    upstream.lists["tools/list"].append(tool("three"))
    upstream.failing = 100
    made.gateway.hub.changes.least_seconds = 0.001
    before = upstream.looks
    say(made)
    assert await told(made, alice) == []
    assert upstream.looks - before == MOST_TRIES
    upstream.failing = 0
    say(made)
    assert await told(made, alice) == [TOOLS], "what it could not see is not forgotten"


async def test_a_listen_is_told_what_it_asked_for_under_its_id() -> None:
    made, upstream = stage()
    alice = Client(made)
    await alice.modern("tools/list")
    task, _ = await listening(alice, {"toolsListChanged": True}, "L")
    say(made)
    await settled(made.gateway.hub)
    assert len(alice.heard) == 1, "nothing is new to it"
    upstream.lists["tools/list"].append(tool("two"))
    upstream.lists["prompts/list"].append({"name": "new"})
    say(made, PROMPTS)
    say(made)
    await settled(made.gateway.hub)
    (heard,) = alice.heard[1:]
    said = {"io.modelcontextprotocol/subscriptionId": "L"}
    assert heard == {"jsonrpc": "2.0", "method": TOOLS, "params": {"_meta": said}}
    task.cancel()
    await asyncio.wait({task})


async def test_nothing_is_told_before_a_listen_is_acknowledged() -> None:
    made, upstream = stage()
    alice, upstream.hold = Client(made), asyncio.Event()
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["file:///a"]}
    task = asyncio.ensure_future(alice.modern("subscriptions/listen", {"notifications": wanted}))
    await upstream.reached.wait()
    say(made)
    assert not made.gateway.hub.busy
    upstream.hold.set()
    await alice.ear.heard.wait()
    task.cancel()
    await asyncio.wait({task})


async def test_a_crowd_is_looked_after_a_few_at_a_time() -> None:
    made, upstream = stage()
    for _ in range(20):
        await attending(made)
    upstream.most = 0
    say(made)
    await settled(made.gateway.hub)
    assert (upstream.most, upstream.looks) == (AT_ONCE, 40)


async def test_what_one_modern_client_lists_another_of_its_kind_has_not_seen() -> None:
    made, upstream = stage()
    alice = Client(made)
    await alice.modern("tools/list")
    task, _ = await listening(alice, {"toolsListChanged": True})
    upstream.lists["tools/list"].append(tool("two"))
    await Client(made).modern("tools/list")
    say(made)
    await settled(made.gateway.hub)
    assert [m["method"] for m in alice.heard[1:]] == [TOOLS]
    task.cancel()
    await asyncio.wait({task})


# After a reload.


async def test_a_policy_that_shows_something_else_is_told() -> None:
    made, upstream = stage()
    alice, idle = await attending(made), await attending(made, listed=False)
    upstream.lists["tools/list"].append(tool("hidden"))
    made.gateway.hub.reloaded()
    assert await told(made, alice) == [], "it shows the same as before"
    regate(made, order=stage_of().gateway.state.gate.order)
    made.gateway.hub.reloaded()
    assert await told(made, alice) == [TOOLS]
    assert await told(made, idle) == [], "it has never asked for a list"


async def test_upstreams_that_come_and_go_are_told() -> None:
    made, _ = stage()
    alice = await attending(made, "/mcp")
    both = ("bank", "clinic")
    for names, expected in (((), [TOOLS]), (("clinic",), [TOOLS]), (both, [TOOLS]), (both, [])):
        move(made, *names)
        made.gateway.hub.reloaded()
        assert await told(made, alice) == expected


def move(made: Stage, *names: str) -> None:
    """Only these upstreams are there any more."""
    state = made.gateway.state
    resolver = Resolver({name: Upstream(name) for name in names}, state.resolver._book)
    endpoints = {"/mcp": Endpoint("/mcp", names, prefixed=True)}
    made.gateway.state = msgspec.structs.replace(state, resolver=resolver, endpoints=endpoints)


# What else follows from it.


async def test_calls_to_new_tools_resolve_at_once() -> None:
    made, upstream = stage()
    bob = Client(made, who=BOB)
    await bob.modern("tools/list")
    new = {"name": "two", "arguments": {}}
    upstream.lists["tools/list"].append(tool("two"))
    assert (await bob.modern("tools/call", new)).reason == "resolve.unknown-tool"
    say(made, terms=Terms(bob.principal.holder))
    assert (await bob.modern("tools/call", new)).result["content"] == []


async def test_what_a_client_was_shown_elsewhere_counts_here() -> None:
    made, _ = stage()
    elsewhere: list[Seen] = []
    other = stage()[0]
    other.gateway.hub.changes.told = elsewhere.append
    alice = await attending(made, listed=False)
    far = Client(other)
    await far.open()
    await far.legacy("tools/list", {})
    seen = msgspec.structs.replace(elsewhere[0], viewer=alice.session_itself().id)
    made.gateway.hub.changes.saw(seen)
    say(made)
    assert await told(made, alice) == []


async def test_nothing_is_kept_of_who_has_left() -> None:
    made, upstream = stage()
    hub = made.gateway.hub
    for number in range(50):
        client = Client(made)
        task, _ = await listening(client, {"toolsListChanged": True}, number)
        say(made)
        task.cancel()
        await asyncio.wait({task})
    await settled(hub)
    assert (hub.open, hub.changes._due, upstream.looks) == (0, {}, 0)
    for number in range(REMEMBERED + 10):
        hub.changes.saw(Seen(str(number), "tools/list", {"clinic": "x"}))
    assert len(hub.changes._remembered) == REMEMBERED


async def test_without_listeners_an_event_is_nothing_to_look_at() -> None:
    made, upstream = stage()
    say(made)
    assert (upstream.looks, made.gateway.hub.busy) == (0, set())
