import asyncio
from collections.abc import AsyncIterator

import pytest

from lockgate.model import Envelope, SendFailed, Terms, Upstream
from lockgate.upstream.health import Pace
from lockgate.upstream.link import Link
from lockgate.upstream.pool import Pool
from lockgate.upstream.target import Bounds, HttpTarget, Registered, WithheldTarget
from support.fake_link import FakeLink

ENVELOPE = Envelope()
OWN = Registered(Upstream("own"), HttpTarget("http://own"), Bounds(links=3, idle_seconds=60))
SHARED = Registered(Upstream("shared", sharing="shared"), HttpTarget("http://shared"))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class World:
    """A pool over fake links, with everything it opened."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.links: list[FakeLink] = []
        self.refusing = ""
        self.gate: asyncio.Event | None = None
        self.opening = asyncio.Event()
        self.attempts = 0
        self.terms: list[Terms] = []
        self.pool = Pool(self.connect, self.clock, Pace(first=1, cap=8, stable=30))

    async def connect(self, registered: Registered, terms: Terms) -> Link:
        self.attempts += 1
        self.terms.append(terms)
        self.opening.set()
        if self.gate:
            await self.gate.wait()
        if self.refusing:
            raise SendFailed(self.refusing, "because")
        self.links.append(FakeLink())
        return self.links[-1]

    async def use(self, who: str | Terms, registered: Registered = OWN) -> Link:
        terms = Terms(who) if isinstance(who, str) else who
        async with self.pool.lease(registered, terms) as link:
            await link.request("tools/list", b"{}", envelope=ENVELOPE)
            return link

    async def reason(self, who: str, registered: Registered = OWN) -> str:
        with pytest.raises(SendFailed) as failed:
            await self.use(who, registered)
        return failed.value.reason


async def turns() -> None:
    """Of the loop, that an opening needs to end."""
    for _ in range(5):
        await asyncio.sleep(0)


async def ended(link: FakeLink) -> None:
    async with asyncio.timeout(5):
        await link.ended.wait()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.pool.close_all()
    assert all(link.closed for link in world.links)


async def test_a_principal_keeps_its_link_and_shares_it_with_nobody(world: World) -> None:
    alice = await world.use("alice")
    assert await world.use("alice") is alice
    assert await world.use("bob") is not alice


async def test_an_upstream_registered_as_shared_has_one_link(world: World) -> None:
    """On which nobody is asked, whatever their clients declared."""
    asks = Terms("alice", "legacy", b'{"roots":{}}', "s1")
    assert await world.use(asks, SHARED) is await world.use("bob", SHARED)
    assert world.terms == [Terms("")]


async def test_who_declared_something_else_has_a_link_of_its_own(world: World) -> None:
    asks = [
        Terms("alice"),
        Terms("alice", "legacy", b'{"roots":{}}', "s1"),
        Terms("alice", "legacy", b'{"roots":{}}', "s2"),
        Terms("alice", "modern", b'{"roots":{}}'),
    ]
    world.links.clear()
    wide = Registered(OWN.upstream, OWN.target, Bounds(links=9))
    assert len({id(await world.use(one, wide)) for one in asks + asks}) == 4
    assert world.terms == asks


async def test_one_opening_serves_all_who_wait(world: World) -> None:
    world.gate = asyncio.Event()
    waiting = [asyncio.create_task(world.use("alice")) for _ in range(5)]
    await world.opening.wait()
    waiting[0].cancel()
    await asyncio.wait({waiting[0]})
    world.gate.set()
    links = await asyncio.gather(*waiting[1:])
    assert len(set(map(id, links))) == 1
    assert world.attempts == 1


async def test_a_failed_opening_is_told_to_all_and_counts_once(world: World) -> None:
    world.refusing, world.gate = "upstream.unreachable", asyncio.Event()
    waiting = [asyncio.create_task(world.reason("alice")) for _ in range(5)]
    await world.opening.wait()
    world.gate.set()
    assert await asyncio.gather(*waiting) == ["upstream.unreachable"] * 5
    world.refusing = ""
    await world.use("alice")


async def test_a_failing_upstream_rests_and_is_tried_again(world: World) -> None:
    world.refusing = "upstream.crashed"
    assert await world.reason("alice") == "upstream.crashed"
    assert await world.reason("alice") == "upstream.crashed"
    assert await world.reason("alice") == "upstream.backing-off"
    assert world.attempts == 2
    (resting,) = world.pool.descriptions()
    assert (resting.state, resting.reason) == ("resting", "upstream.crashed")
    world.clock.now += 1
    world.refusing = ""
    await world.use("alice")
    assert world.pool.descriptions()[0].state == "open"


async def test_what_is_withheld_is_not_opened_and_does_not_rest(world: World) -> None:
    withheld = Registered(OWN.upstream, WithheldTarget("the vault is sealed"), OWN.bounds)
    for _ in range(3):
        with pytest.raises(SendFailed, match="the vault is sealed") as failed:
            await world.use("a", withheld)
        assert failed.value.reason == "upstream.secret"
    assert world.attempts == 0
    await world.use("a")


async def test_one_principals_failures_do_not_rest_another(world: World) -> None:
    world.refusing = "upstream.crashed"
    for _ in range(3):
        await world.reason("alice")
    world.refusing = ""
    await world.use("bob")


async def test_a_broken_link_is_replaced_and_closed(world: World) -> None:
    await world.use("alice")
    first = world.links[0]
    first.fail("upstream.crashed")
    second = await world.use("alice")
    assert second is not first
    await ended(first)


async def test_a_link_that_breaks_in_use_is_dropped(world: World) -> None:
    await world.use("alice")
    world.links[0].hold = asyncio.Event()
    world.links[0].asking.clear()
    running = asyncio.create_task(world.reason("alice"))
    await world.links[0].asking.wait()
    world.links[0].fail("upstream.crashed")
    world.links[0].hold.set()
    assert await running == "upstream.crashed"
    assert world.pool.descriptions() == ()


async def test_idle_links_are_closed_and_busy_ones_are_not(world: World) -> None:
    await world.use("idle")
    async with world.pool.lease(OWN, Terms("busy")):
        world.clock.now += 60
        await world.pool.sweep()
        assert [one.principal for one in world.pool.descriptions()] == ["busy"]
    await ended(world.links[0])
    assert not world.links[1].closed


async def test_what_somebody_is_subscribed_over_is_not_idle(world: World) -> None:
    await world.use("alice")
    world.links[0].subscribed = frozenset({"file:///a"})
    world.clock.now += 60
    await world.pool.sweep()
    assert not world.links[0].closed
    world.links[0].subscribed = frozenset()
    await world.pool.sweep()
    await ended(world.links[0])


async def test_where_it_broke_another_is_opened_though_nobody_calls(world: World) -> None:
    for who in ("alice", "bob"):
        await world.use(who)
    world.links[0].subscribed = frozenset({"file:///a"})
    for link in world.links:
        link.fail("upstream.crashed")
    world.refusing = "upstream.unreachable"
    for _ in range(3):  # once by each sweep, until the upstream rests
        await world.pool.sweep()
        await turns()
    assert world.attempts == 4
    world.refusing = ""
    world.clock.now += 10
    await world.pool.sweep()
    await turns()
    assert [one.principal for one in world.pool.descriptions()] == ["alice"]
    await world.pool.sweep()
    assert world.attempts == 5


async def test_what_is_gone_from_the_registry_is_not_opened_again(world: World) -> None:
    await world.use("alice")
    world.links[0].subscribed = frozenset({"file:///a"})
    world.links[0].fail("upstream.crashed")
    world.pool.retire("own")
    await world.pool.sweep()
    assert world.attempts == 1


async def test_over_the_limit_those_without_subscriptions_go_first(world: World) -> None:
    for who in ("a", "b", "c"):
        await world.use(who)
        world.clock.now += 1
    world.links[0].subscribed = frozenset({"file:///a"})
    await world.use("d")
    assert {one.principal for one in world.pool.descriptions()} == {"a", "c", "d"}


async def test_over_the_limit_the_longest_idle_goes(world: World) -> None:
    for who in ("a", "b", "c"):
        await world.use(who)
        world.clock.now += 1
    await world.use("a")
    await world.use("d")
    assert {one.principal for one in world.pool.descriptions()} == {"a", "c", "d"}


async def test_over_the_limit_with_all_busy_is_refused(world: World) -> None:
    async with (
        world.pool.lease(OWN, Terms("a")),
        world.pool.lease(OWN, Terms("b")),
        world.pool.lease(OWN, Terms("c")),
    ):
        assert await world.reason("d") == "upstream.backing-off"
        await world.use("d", SHARED)


async def test_a_changed_registration_opens_anew_and_finishes_the_old(world: World) -> None:
    changed = Registered(OWN.upstream, HttpTarget("http://elsewhere"), OWN.bounds)
    async with world.pool.lease(OWN, Terms("alice")) as old:
        assert await world.use("alice", changed) is not old
        assert [link.closed for link in world.links] == [False, False]
    await ended(world.links[0])
    assert not world.links[1].closed


async def test_close_all_ends_what_is_open_and_opening_and_refuses_more(world: World) -> None:
    await world.use("alice")
    world.gate = asyncio.Event()
    world.opening.clear()
    waiting = asyncio.create_task(world.use("bob"))
    await world.opening.wait()
    await world.pool.close_all()
    assert world.links[0].closed
    assert await world.reason("alice") == "upstream.unreachable"
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_descriptions_say_what_is_there(world: World) -> None:
    async with world.pool.lease(OWN, Terms("alice")):
        (one,) = world.pool.descriptions()
        assert (one.upstream, one.principal, one.state) == ("own", "alice", "open")
        assert (one.era, one.version, one.running) == ("modern", "2026-07-28", 1)


async def test_old_failure_records_are_forgotten(world: World) -> None:
    world.refusing = "upstream.crashed"
    for _ in range(3):
        await world.reason("alice")
    world.clock.now += 1000
    await world.pool.sweep()
    assert world.pool.descriptions() == ()


async def test_an_opening_that_fails_after_everybody_left_counts_all_the_same(
    world: World,
) -> None:
    world.gate = asyncio.Event()
    world.refusing = "upstream.timeout"
    waiting = asyncio.create_task(world.use("alice"))
    await world.opening.wait()
    waiting.cancel()
    await asyncio.wait({waiting})
    world.clock.now += 5
    world.gate.set()
    for _ in range(5):  # turns of the loop that the opening needs to fail
        await asyncio.sleep(0)
    assert await world.reason("alice") == "upstream.backing-off"
    assert world.attempts == 1
    world.clock.now += 5
    assert await world.reason("alice") == "upstream.timeout"


async def test_the_links_of_an_ended_session_end_with_it(world: World) -> None:
    asks = b'{"elicitation":{"form":{}}}'
    await world.use(Terms("alice", "legacy", asks, "s-1"))
    await world.use(Terms("alice", "legacy", asks, "s-2"))
    world.pool.retire_session("s-1")
    await asyncio.wait_for(world.links[0].ended.wait(), 5)
    assert not world.links[1].closed


async def test_a_retired_upstream_loses_its_links_those_in_use_at_the_end(world: World) -> None:
    idle = await world.use("alice")
    shared = await world.use("alice", SHARED)
    async with world.pool.lease(OWN, Terms("bob")) as busy:
        world.pool.retire("own")
        assert isinstance(idle, FakeLink)
        await ended(idle)
        assert isinstance(busy, FakeLink)
        assert not busy.closed
        assert await world.use("bob") is not busy
    await ended(busy)
    assert await world.use("alice", SHARED) is shared


async def test_the_operator_is_told_on_one_line_what_did_not_open(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.refusing = "upstream.garbage"
    assert await world.reason("alice") == "upstream.garbage"
    assert [record.getMessage() for record in caplog.records] == [
        "own did not open: upstream.garbage, 'because'"
    ]
