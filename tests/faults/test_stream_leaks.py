"""Streams, listens and subscriptions come and go over real links, and nothing of them stays."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lockgate.app.gateway import Gateway
from lockgate.app.server import opened
from lockgate.app.settings_file import load
from lockgate.app.wiring import Plant
from lockgate.model import Principal
from lockgate.upstream.target import Bounds
from support.attending import Client, listening, settled
from support.processes import until as happens
from support.scenario import principal_of
from support.staged import PERMIT_ALL
from support.upstream_endpoint import serving
from support.upstream_streams import StreamingEndpoint

ROUNDS = 16
ALICE = principal_of("alice via desk as doctor")
TOOLS, UPDATED = "notifications/tools/list_changed", "notifications/resources/updated"
URI = "file:///a"


class House(msgspec.Struct):
    """A whole gateway over HTTP upstreams, as clients of a ``Stage`` know it."""

    gateway: Gateway
    plant: Plant
    principal: Principal = ALICE

    @property
    def links(self) -> int:
        return len(self.plant.pool.descriptions())


@asynccontextmanager
async def house(folder: Path, era: str) -> AsyncIterator[tuple[House, StreamingEndpoint]]:
    upstream = StreamingEndpoint(era)
    (folder / "policies").mkdir()
    (folder / "policies" / "all.cedar").write_text(PERMIT_ALL)
    async with serving(upstream) as url:
        config = folder / "lockgate.yaml"
        limits = "limits: {calls_per_minute: 1000000, burst: 10000}"
        config.write_text(f"upstreams: {{clinic: {{url: '{url}'}}}}\n{limits}\n")
        async with opened(config, load(config), "127.0.0.1:8765") as running:
            running.gateway.hub.changes.gather_seconds = 0.0
            running.gateway.hub.changes.least_seconds = 0.0
            yield House(running.gateway, running.plant), upstream


def client(made: Any, **capabilities: Any) -> Client:
    found = Client(made)
    found.capabilities = capabilities
    return found


async def session(made: Any, upstream: StreamingEndpoint, **capabilities: Any) -> None:
    """One legacy client, from its beginning to its end."""
    alice = client(made, **capabilities)
    await alice.attend()
    await alice.legacy("tools/list", {})
    assert (await alice.legacy("resources/subscribe", {"uri": URI}, 2)).result == {}
    upstream.tell(TOOLS)
    upstream.tell(UPDATED, uri=URI)
    await alice.end()


async def listen(made: Any, upstream: StreamingEndpoint, number: int) -> None:
    """One modern client, which just closes its connection."""
    alice = client(made)
    wanted = {"toolsListChanged": True, "resourceSubscriptions": [URI]}
    task, _ = await listening(alice, wanted, number)
    upstream.tell(TOOLS)
    task.cancel()
    await asyncio.wait({task})


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_nothing_stays_of_clients_that_come_and_go(tmp_path: Path, era: str) -> None:
    async with house(tmp_path, era) as (made, upstream):
        hub, tasks = made.gateway.hub, 0
        for number in range(ROUNDS):
            await session(made, upstream)
            await listen(made, upstream, number)
            if number == ROUNDS // 2:
                await settled(hub)
                tasks = len(asyncio.all_tasks())
        await settled(hub)
        assert (hub.open, hub.replay.kept, hub.busy, hub.changes._due) == (0, 0, set(), {})
        assert len(asyncio.all_tasks()) <= tasks + 3, "what belongs to one link comes and goes"
        assert made.links == 1
        await until(upstream, 1)
        left = [wanted.get("resourceSubscriptions") for wanted in upstream.listens[-1:]]
        assert (upstream.subscribed[-1:] or left) in ([("unsubscribe", URI)], [None])


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_links_of_sessions_that_can_be_asked_are_bounded(
    tmp_path: Path, era: str, ends: bool
) -> None:
    async with house(tmp_path, era) as (made, upstream):
        most = Bounds().links
        for _ in range(most + 4):
            alice = client(made, elicitation={})
            await alice.open()
            await alice.legacy("tools/list", {})
            assert made.links <= most
            if ends:
                await alice.end()
        left = 0 if ends else most
        await until(upstream, left)
        assert made.links == left


async def until(upstream: StreamingEndpoint, streams: int) -> None:
    """Exactly so many are open, soon."""
    await asyncio.to_thread(happens, lambda: upstream.streams == streams, 10)
