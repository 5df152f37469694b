"""Two whole workers in one process: what joins them."""

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from lockgate.app.crew import Crew, known_to_all, to_all
from lockgate.app.elsewhere import Alone, Peered
from lockgate.app.seat import Line, Seat
from lockgate.app.server import Running, opened
from lockgate.app.settings_file import load
from lockgate.model import SendFailed, Terms
from lockgate.upstream.link import Event
from lockgate.upstream.opening import speaking
from support.crews import peers
from support.gateway import child
from support.staged import PERMIT_ALL

ALICE = Terms("alice")
EVENT = Event("shop", Terms(""), "notifications/tools/list_changed")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.cedar").write_text(PERMIT_ALL)
    place = tmp_path / "lockgate.yaml"
    place.write_text("upstreams: {}\n")
    return place


@asynccontextmanager
async def workers(config: Path) -> AsyncIterator[list[Running]]:
    async with AsyncExitStack() as held:
        folder = held.enter_context(tempfile.TemporaryDirectory(prefix="lockgate-t-"))
        found, overs = [], []
        for index in (0, 1):
            ours, theirs = socket.socketpair()
            held.enter_context(ours)
            overs.append(ours)
            line = Line(Seat(index, 2, -1, theirs.detach(), folder))
            held.callback(line.close)
            running = opened(config, load(config), "127.0.0.1:1", line)
            found.append(await held.enter_async_context(running))
        try:
            yield found
        finally:
            for over in overs:
                over.send(b"end\n")


async def test_each_has_a_name_of_its_own_and_knows_the_other(config: Path) -> None:
    async with workers(config) as found:
        names = [running.gateway.dialogue.node for running in found]
        host = found[0].plant.stores.host
        assert names == [f"{host}.0", f"{host}.1"]
        assert all(isinstance(running.gateway.elsewhere, Peered) for running in found)
        told = [running.ingress._health()["worker"] for running in found]
        assert told == [0, 1]


async def test_what_an_upstream_tells_one_is_heard_by_all() -> None:
    async with peers() as (here, there):
        near: list[Event] = []
        far: asyncio.Queue[Event] = asyncio.Queue()
        tell, _ = to_all(here, near.append), to_all(there, far.put_nowait)
        tell(EVENT)
        async with asyncio.timeout(5):
            assert await far.get() == EVENT
        assert near == [EVENT]


async def test_what_a_session_sets_is_known_to_all_before_it_is_answered() -> None:
    async with peers() as (here, there):
        known: list[str] = []

        looking, done = asyncio.Event(), asyncio.Event()

        async def look(session_id: str) -> None:
            looking.set()
            await done.wait()
            known.append(session_id)

        tell, _ = known_to_all(here, look), known_to_all(there, look)
        telling = asyncio.ensure_future(tell("s1"))
        async with asyncio.timeout(5):
            await looking.wait()
            assert not telling.done()
            done.set()
            await telling
            assert known == ["s1"]
            await there.close()
            await tell("s1")  # who cannot be reached keeps nobody waiting
        assert known == ["s1"]


def put_behind_a_secret(config: Path) -> Path:
    """Where the secret of the one upstream is, a program."""
    token = config.parent / "token"
    token.write_text("first")
    shop = child("modern", env={"TOKEN": f"file:{token}"})
    config.write_text(json.dumps({"upstreams": {"shop": shop}}))
    return token


async def ask(running: Running) -> str:
    """The reason why a tool list is not to be had, or nothing."""
    registered = running.plant.registry.get("shop")
    assert registered is not None
    try:
        async with running.plant.pool.lease(registered, ALICE) as link:
            await link.request("tools/list", b"{}", envelope=speaking(ALICE))
    except SendFailed as failure:
        return failure.reason
    return ""


async def test_a_secret_that_one_worker_knows_first_is_known_to_the_other_when_it_matters(
    config: Path,
) -> None:
    token = put_behind_a_secret(config)
    async with workers(config) as found:
        for ahead in found:
            assert [await ask(running) for running in found] == ["", ""]
            token.write_text(f"newer {ahead.gateway.dialogue.node}")
            ahead.plant.watch.renew()
            assert {await ask(running) for running in found} <= {"", "upstream.unavailable"}
        assert [await ask(running) for running in found] == ["", ""]


async def test_one_alone_has_a_name_and_nobody_to_ask(config: Path) -> None:
    async with opened(config, load(config), "127.0.0.1:1") as running:
        assert running.gateway.dialogue.node == f"{running.plant.stores.host}.0"
        assert isinstance(running.gateway.elsewhere, Alone)
        assert "worker" not in running.ingress._health()
        await Crew("host").drained()
