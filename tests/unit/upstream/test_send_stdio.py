"""Links to real child processes, in both eras and in bad weather."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from lockgate.model import Envelope, SendFailed, Terms, Upstream
from lockgate.upstream.child import Tail
from lockgate.upstream.link import Event, LinkReply
from lockgate.upstream.opening import EraMemory
from lockgate.upstream.send_stdio import StdioLink, open_stdio
from lockgate.upstream.target import Bounds, Registered, StdioTarget
from lockgate.upstream.traffic import Held
from support.fake_link import Ear
from support.processes import gone

CHILDREN = str(Path(__file__).parents[2] / "support" / "upstream_children.py")
BOUNDS = Bounds(call_seconds=10, connect_seconds=10, probe_seconds=5, grace_seconds=0.2)
ENVELOPE = Envelope()
ALICE = Terms("person:alice")
ASKS = b'{"elicitation":{"form":{}},"roots":{}}'
ASKABLE = Terms("person:alice", "legacy", ASKS, "s1")
LEGACY = Envelope("legacy", asks=ASKS, session="s1", progress=True, log_level="info")

Open = Callable[..., Awaitable[StdioLink]]


def registered(kind: str, bounds: Bounds = BOUNDS) -> Registered:
    return command(kind, (sys.executable, "-I", "-S", CHILDREN, kind), bounds)


def command(name: str, argv: tuple[str, ...], bounds: Bounds = BOUNDS) -> Registered:
    return Registered(Upstream(name), StdioTarget(argv, {"CHILD": "yes"}), bounds)


@pytest.fixture
async def open_() -> AsyncIterator[Open]:
    links: list[StdioLink] = []

    async def open_one(
        one: Registered,
        memory: EraMemory | None = None,
        tail: Tail | None = None,
        terms: Terms = ALICE,
        events: list[Event] | None = None,
    ) -> StdioLink:
        assert isinstance(one.target, StdioTarget)
        held = Held(one.name, terms, events.append if events is not None else lambda _: None)
        link = await open_stdio(one, held, one.target, memory or EraMemory(), tail or Tail())
        links.append(link)
        return link

    yield open_one
    for link in links:
        await link.close()


async def call(link: StdioLink, tool: str, arguments: object = None, **rest: Any) -> Any:
    params = json.dumps({"name": tool, "arguments": arguments}).encode()
    reply = await link.request("tools/call", params, **{"envelope": ENVELOPE, **rest})
    assert not reply.is_error
    return json.loads(reply.raw)


async def refused(link: StdioLink, tool: str, arguments: object = None) -> str:
    with pytest.raises(SendFailed) as failed:
        await call(link, tool, arguments)
    return failed.value.reason


@pytest.mark.parametrize(
    ("kind", "era", "version"),
    [
        ("modern", "modern", "2026-07-28"),
        ("dual", "modern", "2026-07-28"),
        ("choosy", "modern", "2026-07-28"),
        ("legacy", "legacy", "2025-11-25"),
        ("exits-on-discover", "legacy", "2025-11-25"),
        ("null-id", "legacy", "2025-11-25"),
    ],
)
async def test_agrees_with_each_kind_and_calls(
    open_: Open, kind: str, era: str, version: str
) -> None:
    link = await open_(registered(kind))
    assert (link.peer.era, link.peer.version) == (era, version)
    assert json.loads(link.peer.capabilities)["tools"] == {}
    assert json.loads(link.peer.server_info)["name"] == "child"
    said = (await call(link, "echo", {"n": 1.50}))["structuredContent"]
    assert said["arguments"] == {"n": 1.5}


@pytest.mark.parametrize("kind", ["hangs-on-discover", "exits-late-on-discover"])
async def test_a_server_that_cannot_bear_the_probe_is_started_anew(open_: Open, kind: str) -> None:
    bounds = Bounds(probe_seconds=0.5, grace_seconds=0.1)
    memory, one = EraMemory(), registered(kind, bounds)
    link = await open_(one, memory)
    assert link.peer.era == "legacy"
    assert memory.recall(one) == "legacy"


async def test_a_slow_server_is_not_started_twice(open_: Open) -> None:
    link = await open_(registered("slow-to-start", Bounds(probe_seconds=0.3)))
    assert link.peer.era == "legacy"


async def test_a_slow_modern_server_is_modern(open_: Open) -> None:
    """It has read the probe when ``initialize`` comes, and refuses that."""
    memory, one = EraMemory(), registered("slow-modern", Bounds(probe_seconds=0.3))
    link = await open_(one, memory)
    assert (link.peer.era, memory.recall(one)) == ("modern", "modern")
    assert (await call(link, "echo", 1))["structuredContent"]["arguments"] == 1


async def test_a_known_era_is_not_probed_again(open_: Open) -> None:
    """This server would hang for the whole probe, which is far longer than the test bears."""
    memory = EraMemory()
    one = registered("hangs-on-discover", Bounds(probe_seconds=600))
    memory.learn(one, "legacy")
    async with asyncio.timeout(10):
        assert (await open_(one, memory)).peer.era == "legacy"


async def test_no_version_in_common_is_garbage_and_forgotten(open_: Open) -> None:
    memory, one = EraMemory(), registered("future-only")
    with pytest.raises(SendFailed, match="2099-01-01") as failed:
        await open_(one, memory)
    assert failed.value.reason == "upstream.garbage"
    assert memory.recall(one) is None


async def test_a_program_that_cannot_run_has_crashed(open_: Open) -> None:
    tail = Tail()
    with pytest.raises(SendFailed) as failed:
        await open_(registered("crash"), tail=tail)
    assert failed.value.reason == "upstream.crashed"
    assert "9" in failed.value.detail
    assert "database" in tail.lines()[-1]
    assert "database" not in failed.value.detail


async def test_a_program_that_is_not_there_is_said_to_be_missing(open_: Open) -> None:
    with pytest.raises(SendFailed, match="not found"):
        await open_(command("gone", ("/nowhere/mcp-server",)))


async def test_a_silent_program_times_out(open_: Open) -> None:
    bounds = Bounds(probe_seconds=0.2, connect_seconds=0.2, grace_seconds=0.1)
    with pytest.raises(SendFailed) as failed:
        await open_(registered("silent", bounds))
    assert failed.value.reason == "upstream.timeout"


async def test_the_program_gets_only_the_configured_environment(open_: Open) -> None:
    link = await open_(registered("modern"))
    env = (await call(link, "echo"))["structuredContent"]["env"]
    assert env.pop("CHILD") == "yes"
    assert set(env) <= {"PATH", "HOME", "LANG", "LC_CTYPE"}


@pytest.mark.parametrize("kind", ["modern", "legacy"])
async def test_lists_and_errors_come_raw(open_: Open, kind: str) -> None:
    link = await open_(registered(kind))
    listed = await link.request("tools/list", b"{}", envelope=ENVELOPE)
    assert b'"x-vendor": 1.5' in listed.raw
    params = b'{"name":"fail"}'
    failed = await link.request("tools/call", params, envelope=ENVELOPE)
    assert failed.is_error
    assert json.loads(failed.raw) == {"code": -32602, "message": "bad arguments"}


async def test_many_at_once_get_each_their_own(open_: Open) -> None:
    link = await open_(registered("modern"))
    said = await asyncio.gather(*(call(link, "echo", {"n": n}) for n in range(50)))
    assert [one["structuredContent"]["arguments"]["n"] for one in said] == list(range(50))


async def test_progress_comes_back_without_our_token(open_: Open) -> None:
    link, ear = await open_(registered("legacy")), Ear()
    await call(link, "progress", hears=ear, envelope=LEGACY)
    assert ear.notes == [
        ("notifications/progress", {"progress": 1, "message": "on it"}),
        ("notifications/progress", {"progress": 2, "message": "on it"}),
    ]


async def test_progress_that_does_not_grow_is_not_passed_on(open_: Open) -> None:
    link, ear = await open_(registered("modern")), Ear()
    await call(link, "progress", {"steps": [1, 3, 2, 3, "x", 4]}, hears=ear, envelope=LEGACY)
    assert [told["progress"] for _, told in ear.notes] == [1, 3, 4]


async def test_messages_are_passed_on_from_the_level_that_is_wanted(open_: Open) -> None:
    link, ear = await open_(registered("legacy")), Ear()
    said = await call(link, "log", hears=ear, envelope=LEGACY)
    assert [told["level"] for _, told in ear.notes] == ["info", "error"]
    assert said["structuredContent"] == {"level": ["info"]}
    said = await call(link, "log", hears=ear, envelope=Envelope(log_level="error"))
    assert [told["level"] for _, told in ear.notes] == ["info", "error", "error"]
    assert said["structuredContent"] == {"level": ["info"]}, "it needs not be told again"
    said = await call(link, "log", hears=ear, envelope=Envelope(log_level="debug"))
    assert [told["level"] for _, told in ear.notes[3:]] == ["debug", "info", "error"]
    assert said["structuredContent"] == {"level": ["info", "debug"]}
    await call(link, "log", hears=ear, envelope=ENVELOPE)
    assert len(ear.notes) == 6, "who sets no level wants none"


async def test_a_modern_upstream_is_told_capabilities_and_level_with_each_request(
    open_: Open,
) -> None:
    link = await open_(registered("modern"))
    asks = b'{"elicitation":{"form":{}}}'
    envelope = Envelope("legacy", asks=asks, log_level="notice")
    meta = (await call(link, "meta", envelope=envelope))["structuredContent"]
    assert meta.pop("io.modelcontextprotocol/clientInfo")["name"] == "lockgate"
    assert meta == {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
        "io.modelcontextprotocol/logLevel": "notice",
    }


async def test_what_the_client_can_do_is_asked_of_it(open_: Open) -> None:
    link, ear = await open_(registered("legacy"), terms=ASKABLE), Ear()
    said = (await call(link, "ask", hears=ear, envelope=LEGACY))["structuredContent"]["said"]
    assert said == [
        {"jsonrpc": "2.0", "id": 900, "result": {}},
        {"jsonrpc": "2.0", "id": 901, "result": {"roots": []}},
    ]
    assert ear.asks == [("roots/list", {}, "legacy")]


async def test_a_refusal_reaches_the_upstream(open_: Open) -> None:
    link = await open_(registered("legacy"), terms=ASKABLE)
    ear = Ear(LinkReply(b'{"code":-1,"message":"denied"}', is_error=True))
    said = (await call(link, "ask", hears=ear, envelope=LEGACY))["structuredContent"]["said"]
    assert said[1]["error"] == {"code": -1, "message": "denied"}


async def test_no_deadline_runs_while_somebody_is_asked(open_: Open) -> None:
    bounds = Bounds(call_seconds=0.2, connect_seconds=10, grace_seconds=0.1)
    link, ear = await open_(registered("legacy", bounds), terms=ASKABLE), Ear()
    ear.hold = asyncio.Event()
    running = asyncio.create_task(call(link, "ask", hears=ear, envelope=LEGACY))
    await asyncio.wait({running}, timeout=0.6)
    assert not running.done()
    ear.hold.set()
    assert (await running)["structuredContent"]["said"][1]["result"] == {"roots": []}


async def test_a_question_ends_with_its_call(open_: Open) -> None:
    link, ear = await open_(registered("legacy"), terms=ASKABLE), Ear()
    ear.hold = asyncio.Event()
    running = asyncio.create_task(call(link, "ask", hears=ear, envelope=LEGACY))
    await ear.asked.wait()
    running.cancel()
    async with asyncio.timeout(5):
        await ear.withdrawn.wait()


async def test_an_upstream_can_take_its_question_back(open_: Open) -> None:
    link, ear = await open_(registered("legacy"), terms=ASKABLE), Ear()
    ear.hold = asyncio.Event()
    asking = asyncio.ensure_future(call(link, "ask-and-withdraw", hears=ear, envelope=LEGACY))
    async with asyncio.timeout(5):
        await ear.asked.wait()
        await call(link, "echo", envelope=LEGACY)  # so that it is taken back now
        await ear.withdrawn.wait()
        await asking
    assert (await call(link, "echo", "still there"))["structuredContent"]["answers"] == []


async def test_where_no_request_runs_nobody_is_asked(open_: Open) -> None:
    link = await open_(registered("legacy"), terms=ASKABLE)
    said = (await call(link, "ask"))["structuredContent"]["said"]
    assert said[1]["error"]["code"] == -32603


async def test_what_belongs_to_no_request_is_an_event(open_: Open) -> None:
    events: list[Event] = []
    link = await open_(registered("legacy"), events=events)
    await call(link, "change")
    assert [(one.upstream, one.terms, one.method) for one in events] == [
        ("legacy", ALICE, "notifications/tools/list_changed"),
        ("legacy", ALICE, "notifications/resources/updated"),
        ("legacy", ALICE, "notifications/message"),
    ]
    assert json.loads(events[1].params) == {"uri": "file:///a"}


async def test_an_upstream_may_ask_for_a_pong_and_nothing_else(open_: Open) -> None:
    """Where its client has declared nothing."""
    link, ear = await open_(registered("legacy")), Ear()
    said = await call(link, "ask", hears=ear, envelope=Envelope("legacy"))
    assert ear.asks == []
    pong, no = said["structuredContent"]["said"]
    assert pong == {"jsonrpc": "2.0", "id": 900, "result": {}}
    assert no["id"] == 901
    assert no["error"]["code"] == -32601


@pytest.mark.parametrize("kind", ["modern", "legacy"])
async def test_cancelling_tells_the_upstream(open_: Open, kind: str) -> None:
    link = await open_(registered(kind))
    running = asyncio.create_task(call(link, "hang"))
    await call(link, "echo")  # By its answer the first one was read, too.
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    (seen,) = (await call(link, "echo"))["structuredContent"]["seen"]
    assert isinstance(seen["requestId"], int)
    assert not link.broken


async def test_the_deadline_tells_the_upstream_too(open_: Open) -> None:
    bounds = Bounds(call_seconds=0.2, grace_seconds=0.1)
    link = await open_(registered("modern", bounds))
    assert await refused(link, "hang") == "upstream.timeout"
    (seen,) = (await call(link, "echo"))["structuredContent"]["seen"]
    assert "deadline" in seen["reason"]


@pytest.mark.parametrize(
    ("tool", "reason"),
    [("exit", "upstream.crashed"), ("garbage", "upstream.garbage"), ("flood", "upstream.garbage")],
)
async def test_what_breaks_a_link_is_told_to_whom_it_concerns(
    open_: Open, tool: str, reason: str
) -> None:
    """A call alone is told the reason; of several, none can be picked."""
    link = await open_(registered("modern"))
    assert await refused(link, tool) == reason
    assert link.broken
    assert await refused(link, "echo") == reason
    link = await open_(registered("modern"))
    waiting = [asyncio.create_task(refused(link, "hang")) for _ in range(3)]
    await call(link, "echo")
    assert await refused(link, tool) == "upstream.crashed"
    assert await asyncio.gather(*waiting) == ["upstream.crashed"] * 3
    assert link.broken


async def test_an_answer_over_the_cap_is_refused(open_: Open) -> None:
    link = await open_(registered("modern", Bounds(reply_bytes=100_000, grace_seconds=0.2)))
    assert (await call(link, "large", {"n": 90_000}))["content"][0]["text"] == "x" * 90_000
    assert await refused(link, "large", {"n": 5_000_000}) == "upstream.too-large"


async def test_close_fails_what_is_in_flight_and_leaves_nobody(open_: Open) -> None:
    tail = Tail()
    link = await open_(registered("stubborn"), tail=tail)
    waiting = asyncio.create_task(refused(link, "hang"))
    await call(link, "echo")
    await link.close()
    assert await waiting == "upstream.crashed"
    for pid in tail.lines()[0].split()[1:]:
        assert gone(int(pid))
    await link.close()


async def test_a_child_that_does_not_read_is_met_by_the_deadline(open_: Open) -> None:
    link = await open_(registered("reads-no-more", Bounds(call_seconds=0.5, grace_seconds=0.1)))
    big = {"text": "x" * 500_000}
    said = await asyncio.gather(*(refused(link, "hang", big) for _ in range(5)))
    assert said == ["upstream.timeout"] * 5


def test_the_same_on_uvloop() -> None:
    """The gateway runs on it."""

    async def all_of_it() -> None:
        one = registered("family")
        assert isinstance(one.target, StdioTarget)
        tail = Tail()
        link = await open_stdio(one, Held(one.name, ALICE), one.target, EraMemory(), tail)
        assert (await call(link, "echo", {"n": 1}))["structuredContent"]["arguments"] == {"n": 1}
        await link.close()
        for pid in tail.lines()[0].split()[1:]:
            assert gone(int(pid))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(all_of_it())
