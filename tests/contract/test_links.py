"""What every link to a program must do, whether it is held here or by another worker."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from lockgate.app.peers import Peers
from lockgate.model import Envelope, SendFailed, Terms, Upstream
from lockgate.upstream.catalogue import Registry
from lockgate.upstream.connect import Connector
from lockgate.upstream.health import Pace
from lockgate.upstream.link import Event, Link
from lockgate.upstream.pool import Pool
from lockgate.upstream.relay import Relay
from lockgate.upstream.relay_link import RelayLink
from lockgate.upstream.target import Bounds, Registered, StdioTarget
from support.crews import peers
from support.fake_link import Ear
from support.processes import gone

CHILDREN = str(Path(__file__).parents[1] / "support" / "upstream_children.py")
BOUNDS = Bounds(call_seconds=10, connect_seconds=10, probe_seconds=5, grace_seconds=0.2)
ENVELOPE = Envelope()
ALICE = Terms("person:alice")
ASKS = b'{"elicitation":{"form":{}},"roots":{}}'
ASKABLE = Terms("person:alice", "legacy", ASKS, "s1")
LEGACY = Envelope("legacy", asks=ASKS, session="s1", progress=True, log_level="info")
ERAS = pytest.mark.parametrize("era", ["modern", "legacy"])


def registered(kind: str, bounds: Bounds = BOUNDS) -> Registered:
    command = (sys.executable, "-I", "-S", CHILDREN, kind)
    return Registered(Upstream(kind, fingerprint="f"), StdioTarget(command), bounds)


class Worker:
    """One that may hold links: its own, and others' for them."""

    def __init__(self, courier: Peers) -> None:
        self.registry = Registry()
        self.events: list[Event] = []
        self.connector = Connector(events=self.events.append)
        self.relay = Relay(courier, self.registry, self.connector)
        self.pool = Pool(self.relay.connect, asyncio.get_running_loop().time, Pace(first=0.01))
        self.relay.lend(self.pool)


class Ways:
    """``open`` gives a link of the kind under test; ``held`` by whom, told in ``events``."""

    def __init__(self, kind: str, workers: list[Worker]) -> None:
        self.kind = kind
        self.workers = workers
        self._links: list[Link] = []

    def owner(self, terms: Terms, name: str) -> int:
        courier = self.workers[0].relay.courier
        return int(courier.owner(Relay.key(name, terms)).rpartition(".")[2])

    async def open(self, one: Registered, terms: Terms = ALICE) -> Link:
        for worker in self.workers:
            worker.registry.replace([one])
        owner = self.owner(terms, one.name)
        worker = self.workers[owner if self.kind == "direct" else 1 - owner]
        link = await worker.relay.connect(one, terms)
        assert isinstance(link, RelayLink) == (self.kind == "relayed")
        self._links.append(link)
        return link

    @property
    def events(self) -> list[Event]:
        return [event for worker in self.workers for event in worker.events]

    async def close(self) -> None:
        for link in self._links:
            await link.close()
        for worker in self.workers:
            await worker.pool.close_all()
            await worker.connector.close()


@pytest.fixture(params=["direct", "relayed"])
async def ways(request: pytest.FixtureRequest) -> AsyncIterator[Ways]:
    async with AsyncExitStack() as held:
        found = Ways(
            request.param, [Worker(each) for each in await held.enter_async_context(peers())]
        )
        held.push_async_callback(found.close)
        yield found


async def call(link: Link, tool: str, arguments: object = None, **rest: Any) -> Any:
    params = json.dumps({"name": tool, "arguments": arguments}).encode()
    reply = await link.request("tools/call", params, **{"envelope": ENVELOPE, **rest})
    assert not reply.is_error
    return json.loads(reply.raw)


async def refused(call: Awaitable[Any]) -> str:
    with pytest.raises(SendFailed) as failed:
        await call
    return failed.value.reason


@ERAS
async def test_it_says_who_answers_and_carries_what_is_said(ways: Ways, era: str) -> None:
    link = await ways.open(registered(era))
    assert link.peer.era == era
    assert not link.broken
    said = await call(link, "echo", {"a": [1, "é"]})
    assert said["structuredContent"]["arguments"] == {"a": [1, "é"]}


async def test_a_refusal_is_carried_as_it_is(ways: Ways) -> None:
    link = await ways.open(registered("modern"))
    reply = await link.request("tools/call", b'{"name":"fail"}', envelope=ENVELOPE)
    assert reply.is_error
    assert json.loads(reply.raw) == {"code": -32602, "message": "bad arguments"}


async def test_many_at_once_get_each_their_own(ways: Ways) -> None:
    link = await ways.open(registered("modern"))
    said = await asyncio.gather(*(call(link, "echo", {"n": n}) for n in range(50)))
    assert [one["structuredContent"]["arguments"]["n"] for one in said] == list(range(50))
    assert len({one["structuredContent"]["pid"] for one in said}) == 1


async def test_a_large_answer_is_whole(ways: Ways) -> None:
    link = await ways.open(registered("modern"))
    said = await call(link, "large", {"n": 2_000_000})
    assert len(said["content"][0]["text"]) == 2_000_000


@ERAS
async def test_progress_is_heard_in_order(ways: Ways, era: str) -> None:
    ear, link = Ear(), await ways.open(registered(era))
    envelope = Envelope(progress=True)
    await call(link, "progress", {"steps": [1, 2, 3]}, hears=ear, envelope=envelope)
    assert [(method, said["progress"]) for method, said in ear.notes] == [
        ("notifications/progress", step) for step in (1, 2, 3)
    ]


async def test_what_it_asks_is_answered_by_whoever_waits(ways: Ways) -> None:
    ear, link = Ear(), await ways.open(registered("legacy"), ASKABLE)
    said = await call(link, "ask", hears=ear, envelope=LEGACY)
    assert said["structuredContent"]["said"][1]["result"] == {"roots": []}
    assert [(method, era) for method, _, era in ear.asks] == [("roots/list", "legacy")]


async def test_a_question_that_is_withdrawn_is_taken_back(ways: Ways) -> None:
    ear, link = Ear(), await ways.open(registered("legacy"), ASKABLE)
    ear.hold = asyncio.Event()
    asking = asyncio.ensure_future(call(link, "ask-and-withdraw", hears=ear, envelope=LEGACY))
    async with asyncio.timeout(5):
        await ear.asked.wait()
        await call(link, "echo", envelope=LEGACY)  # so that it is taken back now
        await ear.withdrawn.wait()
        await asking


async def test_cancelling_a_request_cancels_it_there(ways: Ways) -> None:
    link = await ways.open(registered("modern"))
    hanging = asyncio.ensure_future(call(link, "hang"))
    await call(link, "echo")  # so the other was sent
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    async with asyncio.timeout(5):
        while not (await call(link, "echo"))["structuredContent"]["seen"]:
            pass


async def test_cancelling_takes_back_what_was_asked(ways: Ways) -> None:
    ear, link = Ear(), await ways.open(registered("legacy"), ASKABLE)
    ear.hold = asyncio.Event()
    asking = asyncio.ensure_future(call(link, "ask", hears=ear, envelope=LEGACY))
    async with asyncio.timeout(5):
        await ear.asked.wait()
        asking.cancel()
        await ear.withdrawn.wait()


async def test_a_late_answer_is_a_timeout(ways: Ways) -> None:
    slow = Bounds(call_seconds=0.3, grace_seconds=0.2)
    link = await ways.open(registered("modern", slow))
    assert await refused(call(link, "hang")) == "upstream.timeout"
    assert not link.broken
    assert await call(link, "echo")


@pytest.mark.parametrize(
    ("tool", "reason"), [("exit", "upstream.crashed"), ("garbage", "upstream.garbage")]
)
async def test_what_breaks_it_breaks_it_for_good(ways: Ways, tool: str, reason: str) -> None:
    link = await ways.open(registered("modern"))
    assert await refused(call(link, tool)) == reason
    assert link.broken
    await refused(call(link, "echo"))


async def test_closing_ends_what_is_in_flight(ways: Ways) -> None:
    link = await ways.open(registered("modern"))
    hanging = asyncio.ensure_future(call(link, "hang"))
    await call(link, "echo")
    await link.close()
    await link.close()
    assert await refused(hanging) == "upstream.crashed"
    assert link.broken
    assert await refused(call(link, "echo")) == "upstream.crashed"


async def test_what_cannot_be_opened_says_why(ways: Ways) -> None:
    opening: Callable[[], Awaitable[Link]] = lambda: ways.open(registered("crash"))  # noqa: E731
    assert await refused(opening()) in ("upstream.crashed", "upstream.garbage")


async def test_what_belongs_to_no_request_is_told_where_it_is_held(ways: Ways) -> None:
    link = await ways.open(registered("legacy"), ASKABLE)
    await call(link, "change", hears=Ear(), envelope=LEGACY)
    methods = [event.method for event in ways.events]
    assert "notifications/tools/list_changed" in methods


# What only relayed links can do.

relayed = pytest.mark.parametrize("ways", ["relayed"], indirect=True)


@relayed
async def test_both_workers_use_one_program(ways: Ways) -> None:
    one = registered("modern")
    far = await ways.open(one)
    async with ways.workers[ways.owner(ALICE, one.name)].pool.lease(one, ALICE) as near:
        pids = {(await call(link, "echo"))["structuredContent"]["pid"] for link in (far, near)}
    assert len(pids) == 1


@relayed
async def test_the_owner_of_another_registration_refuses(ways: Ways) -> None:
    link = await ways.open(registered("modern"))
    owner = ways.workers[ways.owner(ALICE, "modern")]
    changed = Upstream("modern", fingerprint="another")
    owner.registry.replace([Registered(changed, registered("modern").target, BOUNDS)])
    assert await refused(call(link, "echo")) == "upstream.unavailable"


@relayed
async def test_an_owner_that_lags_behind_catches_up_first(ways: Ways) -> None:
    one = registered("modern")
    link = await ways.open(one)
    owner = ways.workers[ways.owner(ALICE, "modern")]
    owner.registry.replace([])

    async def renew() -> None:
        owner.registry.replace([one])

    owner.relay.renew = renew
    assert await call(link, "echo")


@relayed
async def test_an_owner_that_ends_ends_its_links_and_their_calls(ways: Ways) -> None:
    link = await ways.open(registered("modern"))
    pid = (await call(link, "echo"))["structuredContent"]["pid"]
    hanging = asyncio.ensure_future(call(link, "hang"))
    await call(link, "echo")
    owner = ways.workers[ways.owner(ALICE, "modern")]
    assert isinstance(owner.relay.courier, Peers)
    await owner.relay.courier.close()
    assert await refused(hanging) == "upstream.crashed"
    assert link.broken
    await owner.pool.close_all()
    assert await asyncio.to_thread(gone, pid)


@relayed
async def test_an_owner_that_stays_away_is_not_waited_for_forever(ways: Ways) -> None:
    owner = ways.workers[ways.owner(ALICE, "modern")]
    assert isinstance(owner.relay.courier, Peers)
    await owner.relay.courier.close()
    hurried = Bounds(connect_seconds=0.3, grace_seconds=0.2)
    assert await refused(ways.open(registered("modern", hurried))) == "upstream.unreachable"
