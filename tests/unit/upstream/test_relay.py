"""Who holds which link. What relayed links do is in ``contract/test_links.py``."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest

from lockgate.model import Envelope, SendFailed, Terms, Upstream
from lockgate.model.call import EraName
from lockgate.upstream.catalogue import Registry
from lockgate.upstream.credential import Credential
from lockgate.upstream.credentials import Credentials
from lockgate.upstream.link import Link, Peer
from lockgate.upstream.oauth_metadata import OAuthFailed
from lockgate.upstream.oauth_token import Token
from lockgate.upstream.pool import Pool
from lockgate.upstream.relay import Relay
from lockgate.upstream.relay_link import RelayLink
from lockgate.upstream.target import HttpTarget, Registered, StdioTarget, Target
from support.fake_link import FakeLink

ALICE = Terms("person:alice")
HTTP = HttpTarget("http://127.0.0.1/mcp")
Handler = Callable[[bytes, Callable[[bytes], None]], Awaitable[bytes]]


class Courier:
    """Between workers of one process; everything belongs to ``w0``."""

    def __init__(self, node: str, all_: "dict[str, Courier]") -> None:
        self.node = node
        self.handlers: dict[str, Handler] = {}
        self._all = all_
        all_[node] = self

    def serve(self, kind: str, handler: Handler) -> None:
        self.handlers[kind] = handler

    async def ask(
        self, node: str, kind: str, body: bytes, heard: Callable[[bytes], None] = lambda _: None
    ) -> bytes:
        return await self._all[node].handlers[kind](body, heard)

    def owner(self, key: bytes) -> str:
        return "w0"


class Worker:
    def __init__(
        self, node: str, couriers: dict[str, Courier], era: EraName, met: tuple[str, ...] = ()
    ) -> None:
        self.links: list[FakeLink] = []
        self.era = era
        self.registry = Registry()
        self.credentials = Credentials({"exchange": _Met(*met)}, lambda: 1_000)
        courier = Courier(node, couriers)
        self.relay = Relay(courier, self.registry, self.local, self.credentials)
        self.pool = Pool(self.relay.connect, asyncio.get_running_loop().time)
        self.relay.lend(self.pool)

    async def local(self, registered: Registered, terms: Terms) -> Link:
        link = FakeLink()
        link.peer = Peer(self.era, "v")
        self.links.append(link)
        return link


class House:
    def __init__(
        self, era: EraName, target: Target = HTTP, met: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        couriers: dict[str, Courier] = {}
        self.owner, self.other = (
            Worker(node, couriers, era, (met or {}).get(node, ())) for node in ("w0", "w1")
        )
        self.one = Registered(Upstream("shop", fingerprint="f"), target)
        for worker in (self.owner, self.other):
            worker.registry.replace([self.one])

    async def open(self) -> Link:
        return await self.other.relay.connect(self.one, ALICE)

    async def close(self) -> None:
        for worker in (self.owner, self.other):
            await worker.pool.close_all()


async def test_a_stateless_upstream_is_reached_from_everywhere() -> None:
    house = House("modern")
    link = await house.open()
    assert link is house.other.links[0]
    assert not house.owner.links
    await house.close()


async def test_a_session_is_held_by_its_owner_alone() -> None:
    house = House("legacy")
    for _ in range(2):
        assert isinstance(await house.open(), RelayLink)
    assert len(house.owner.links) == 1
    (probe,) = house.other.links
    assert probe.closed, "once, to learn which it is"
    await house.close()


async def test_a_program_is_started_by_its_owner_alone() -> None:
    house = House("modern", StdioTarget(("x",)))
    link = await house.open()
    assert isinstance(link, RelayLink)
    assert not house.other.links
    reply = await link.request("tools/list", b"{}", envelope=Envelope())
    assert reply.raw == b"{}"
    await house.close()


async def test_the_owner_uses_its_own() -> None:
    house = House("legacy", StdioTarget(("x",)))
    assert await house.owner.relay.connect(house.one, ALICE) is house.owner.links[0]
    await house.close()


async def test_the_end_waits_for_what_runs_for_others() -> None:
    house = House("legacy", StdioTarget(("x",)))
    watched: list[asyncio.Task[object]] = []
    house.owner.relay.watch = watched.append
    link = await house.open()
    await link.request("tools/list", b"{}", envelope=Envelope())
    assert len(watched) == 1
    await house.close()


async def test_a_failure_is_the_owner_s_own() -> None:
    house = House("legacy", StdioTarget(("x",)))
    link = await house.open()
    house.owner.links[0].fail("upstream.garbage")
    house.owner.links[0].broken = False
    with pytest.raises(SendFailed) as failed:
        await link.request("tools/list", b"{}", envelope=Envelope())
    assert failed.value.reason == "upstream.garbage"
    assert not link.broken
    await house.close()


async def test_who_is_behind_its_owner_looks_for_what_changed() -> None:
    house = House("modern", StdioTarget(("x",)))
    renewed: list[str] = []

    async def renew() -> None:
        renewed.append("other")

    house.other.relay.renew = renew
    newer = Upstream("shop", fingerprint="newer")
    house.owner.registry.replace([Registered(newer, StdioTarget(("x",)))])
    with pytest.raises(SendFailed) as failed:
        await house.open()
    assert failed.value.reason == "upstream.unavailable"
    assert renewed == ["other"]


class _Met:
    """A way to tokens that knows one person, or nobody."""

    kept = True

    def __init__(self, *people: str) -> None:
        self.people = people

    async def token(self, registered: Registered, holder: str, refused: str) -> Token:
        if holder not in self.people:
            raise OAuthFailed("has not met the person")
        return Token(f"{holder} not {refused}", 2_000)

    async def lacks(self, registered: Registered, holder: str, scopes: tuple[str, ...]) -> None:
        raise AssertionError


async def test_the_owner_is_lent_a_token_of_a_person_whom_only_the_other_has_met() -> None:
    target = HttpTarget("http://127.0.0.1/mcp", {}, Credential("exchange"))
    house = House("legacy", target, met={"w1": (ALICE.holder,)})
    link = await house.open()
    await link.request("tools/list", b"{}", envelope=Envelope("legacy"))
    owner = house.owner.credentials
    headers = await owner.bearer(house.one, ALICE.holder).headers()
    assert headers == {"Authorization": f"Bearer {ALICE.holder} not "}
    with pytest.raises(SendFailed):
        await owner.bearer(house.one, "person:bob").headers()
    await house.close()
