"""Links to real child processes, in both eras and in bad weather."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from lockgate.model import Envelope, SendFailed, Upstream
from lockgate.upstream.child import Tail
from lockgate.upstream.opening import EraMemory
from lockgate.upstream.send_stdio import StdioLink, open_stdio
from lockgate.upstream.target import Bounds, Registered, StdioTarget
from support.processes import gone

CHILDREN = str(Path(__file__).parents[2] / "support" / "upstream_children.py")
BOUNDS = Bounds(call_seconds=10, connect_seconds=10, probe_seconds=5, grace_seconds=0.2)
ENVELOPE = Envelope()

Open = Callable[..., Awaitable[StdioLink]]


def registered(kind: str, bounds: Bounds = BOUNDS) -> Registered:
    return command(kind, (sys.executable, "-I", "-S", CHILDREN, kind), bounds)


def command(name: str, argv: tuple[str, ...], bounds: Bounds = BOUNDS) -> Registered:
    return Registered(Upstream(name), StdioTarget(argv, {"CHILD": "yes"}), bounds)


@pytest.fixture
async def open_() -> AsyncIterator[Open]:
    links: list[StdioLink] = []

    async def open_one(
        one: Registered, memory: EraMemory | None = None, tail: Tail | None = None
    ) -> StdioLink:
        assert isinstance(one.target, StdioTarget)
        link = await open_stdio(one, one.target, memory or EraMemory(), tail or Tail())
        links.append(link)
        return link

    yield open_one
    for link in links:
        await link.close()


async def call(link: StdioLink, tool: str, arguments: object = None, **rest: Any) -> Any:
    params = json.dumps({"name": tool, "arguments": arguments}).encode()
    reply = await link.request("tools/call", params, envelope=ENVELOPE, **rest)
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
    assert json.loads(link.peer.capabilities) == {"tools": {}}
    assert json.loads(link.peer.server_info)["name"] == "child"
    said = (await call(link, "echo", {"n": 1.50}))["structuredContent"]
    assert said["arguments"] == {"n": 1.5}


async def test_a_server_that_hangs_on_discover_is_started_anew(open_: Open) -> None:
    bounds = Bounds(probe_seconds=0.5, grace_seconds=0.1)
    memory, one = EraMemory(), registered("hangs-on-discover", bounds)
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
    link = await open_(registered("legacy"))
    heard: list[tuple[str, Any]] = []
    await call(link, "progress", progress=lambda m, raw: heard.append((m, json.loads(raw))))
    assert heard == [
        ("notifications/progress", {"progress": 1, "message": "on it"}),
        ("notifications/progress", {"progress": 2, "message": "on it"}),
    ]


async def test_an_upstream_may_ask_for_a_pong_and_nothing_else(open_: Open) -> None:
    link = await open_(registered("legacy"))
    pong, no = (await call(link, "ask"))["structuredContent"]["said"]
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
        link = await open_stdio(one, one.target, EraMemory(), tail)
        assert (await call(link, "echo", {"n": 1}))["structuredContent"]["arguments"] == {"n": 1}
        await link.close()
        for pid in tail.lines()[0].split()[1:]:
            assert gone(int(pid))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(all_of_it())
