import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lockgate.app import announcing
from lockgate.app.announcing import Announcing, console_origin, fetch_of
from lockgate.app.settings import Settings
from lockgate.app.stamps import now_ms
from lockgate.app.stores import Stores, open_stores
from lockgate.app.wiring import Plant
from lockgate.model.fetch import FetchFailed
from lockgate.store.notifications import StoredNotifications
from support.channels import SECRET, slack, verified, webhook
from support.inquiries import inquiry
from support.paper_server import Paper, PaperServer

DEADLINE = 10.0


def configured(server: PaperServer, **channels: Any) -> Settings:
    hook = {"kind": "webhook", "url": f"{server.url}/hook", "secret": "env:LOCKGATE_TEST_HOOK"}
    return Settings.model_validate({"approvals": {"channels": {"ops": hook, **channels}}})


@pytest.fixture
async def server() -> AsyncIterator[PaperServer]:
    async with PaperServer() as running:
        yield running


@pytest.fixture
async def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stores]:
    monkeypatch.setenv("LOCKGATE_TEST_HOOK", SECRET)
    opened = open_stores(tmp_path / "data")
    yield opened
    opened.engine.dispose()


def ask(plant: Plant, id: str = "q1") -> None:
    now = now_ms()
    plant.inquiries.add(
        inquiry(id, digest=id, created=now, expires=now + 10**6, kept_until=now + 10**7), b""
    )
    plant.steps.set()


class Heard:
    """A page that takes messages, and tells whoever waits."""

    def __init__(self, server: PaperServer) -> None:
        self.came = asyncio.Event()
        self._server = server
        server.pages["/hook"] = self._take

    def _take(self, _: Any) -> Paper:
        self.came.set()
        return Paper(status=204)

    async def one(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE):
            await self.came.wait()
        self.came.clear()
        return verified(self._server.asked[-1])


async def test_a_question_is_told_and_how_it_ended(stores: Stores, server: PaperServer) -> None:
    plant, heard = Plant(stores, Settings()), Heard(server)
    running = asyncio.create_task(Announcing(plant, lambda: configured(server)).run())
    ask(plant)
    assert (await heard.one())["type"] == "approval.asked"
    asked = plant.inquiries.get("q1")
    assert asked is not None
    over = inquiry("q1", digest="q1", state="denied", version=2, created=asked.inquiry.created)
    assert plant.inquiries.replace(over)
    plant.steps.set()
    assert (await heard.one())["type"] == "approval.decided"
    async with asyncio.timeout(DEADLINE):
        while (told := await on_record(plant)) != ["asked", "decided"]:
            assert told in ([], ["asked"])
    running.cancel()
    await asyncio.wait([running])


async def on_record(plant: Plant) -> list[str]:
    await plant.journal.flush()
    rows = await asyncio.to_thread(plant.stores.events.tail, 100)
    headers = [row.event.header for row in rows]
    return [one["step"] for one in headers if one.get("action") == "approval.told"]


async def test_two_workers_tell_it_once(stores: Stores, server: PaperServer) -> None:
    heard, plants = Heard(server), [Plant(stores, Settings()) for _ in range(2)]
    both = [Announcing(plant, lambda: configured(server)) for plant in plants]
    ask(plants[0])
    await asyncio.gather(*(one.look() for one in both))
    await heard.one()
    for _ in range(3):
        await asyncio.gather(*(one.look() for one in both))
    assert len(server.asked_for("/hook")) == 1


async def test_a_channel_that_hangs_keeps_no_other_waiting(
    stores: Stores, server: PaperServer
) -> None:
    kept: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: kept.append(writer), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    slow = {
        "kind": "webhook",
        "url": f"http://127.0.0.1:{port}/",
        "secret": "env:LOCKGATE_TEST_HOOK",
    }
    plant, heard = Plant(stores, Settings()), Heard(server)
    running = asyncio.create_task(Announcing(plant, lambda: configured(server, slow=slow)).run())
    ask(plant)
    await heard.one()
    ask(plant, "q2")
    await heard.one()
    running.cancel()
    async with asyncio.timeout(DEADLINE):
        await asyncio.wait([running])
    for writer in kept:
        writer.close()
    silent.close()


async def test_without_channels_nothing_is_written(stores: Stores) -> None:
    plant = Plant(stores, Settings())
    ask(plant)
    await Announcing(plant, Settings).look()
    assert StoredNotifications(stores.engine).health() == {}


async def test_a_failing_delivery_is_logged_and_the_next_look_tries_again(
    stores: Stores, server: PaperServer, caplog: pytest.LogCaptureFixture
) -> None:
    plant, heard = Plant(stores, Settings()), Heard(server)
    await plant.journal.close()  # what was sent cannot be put on record
    telling = Announcing(plant, lambda: configured(server))
    logged = asyncio.Event()
    caplog.handler.addFilter(lambda _: logged.set() or True)  # type: ignore[func-returns-value]
    ask(plant)
    await telling.look()
    await heard.one()
    async with asyncio.timeout(DEADLINE):
        await logged.wait()
    assert "telling ops failed" in caplog.text
    assert SECRET not in caplog.text
    await telling.look()


@pytest.mark.parametrize("kind", [webhook, slack])
async def test_only_its_own_origin_is_asked(kind: Any, server: PaperServer) -> None:
    async with PaperServer() as other:
        fetch = fetch_of(kind(server))
        assert (await fetch("GET", f"{server.url}/x")).status == 404
        with pytest.raises(FetchFailed):
            await fetch("GET", f"{other.url}/x")
    assert other.reached == 0


async def test_private_networks_take_a_word_in_the_settings() -> None:
    server = PaperServer()
    server.url = "https://10.255.255.1"
    with pytest.raises(FetchFailed, match="may not be asked"):
        await fetch_of(webhook(server))("POST", f"{server.url}/hook")


def test_authorities_that_cannot_be_read(tmp_path: Path, server: PaperServer) -> None:
    with pytest.raises(FetchFailed, match="FileNotFoundError"):
        fetch_of(webhook(server, ca_file=str(tmp_path / "none.pem")))


def test_where_a_link_leads() -> None:
    assert console_origin(Settings()) == ""
    console = {"issuer": "https://idp.example", "origin": "https://gate.example/"}
    with_console = Settings.model_validate(
        {"console": {**console, "origin": "https://gate.example"}}
    )
    assert console_origin(with_console) == "https://gate.example"
    assert announcing.LOOK_SECONDS <= 1
