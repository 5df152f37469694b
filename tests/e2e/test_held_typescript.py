"""The TypeScript clients, which most desktop programs are built on, while a person is asked."""

from pathlib import Path

import pytest

from support.held_server import KEYS, HeldServer, together
from support.holding import CONSOLE, PAGES, pending, question, steps
from support.typescript import Answer, run_at

pytestmark = [pytest.mark.e2e, pytest.mark.node]
CLIENTS = {
    ("v1", ""): "stream",
    ("v2", "default"): "stream",
    ("v2", "auto"): "rounds",
    ("v2", "2026-07-28"): "rounds",
}
"""SDK and mode, and how each is told where it opens pages."""
named = pytest.mark.parametrize("client", CLIENTS, ids=lambda one: "-".join(filter(None, one)))


async def calling(server: HeldServer, client: tuple[str, str], way: str, can: object) -> Answer:
    key = KEYS["alice"] if way == "http" else server.key_file("alice")
    return await run_at(server.url, key, client, "held call", capabilities=can)


@named
@pytest.mark.parametrize("way", ["http", "stdio"])
async def test_a_client_that_opens_pages_waits_and_gets_the_result(
    tmp_path: Path, client: tuple[str, str], way: str
) -> None:
    async with HeldServer(tmp_path).up() as server:

        async def approve() -> None:
            await server.held()
            await server.decide()

        answer, _ = await together(calling(server, client, way, PAGES), approve())
        found = answer.found["held call"]
        assert found.came["text"] == "done", found
        assert found.asked == [f"{CONSOLE}/console/approvals/q-1"]
        assert len(server.stage.simulated.calls) == 1
        assert f"told:{CLIENTS[client]}" in await steps(server.stage)


@named
@pytest.mark.parametrize("can", [{}, {"elicitation": {"form": {}}}], ids=["nothing", "forms"])
async def test_a_client_that_opens_none_is_told_at_once(
    tmp_path: Path, client: tuple[str, str], can: object
) -> None:
    async with HeldServer(tmp_path).up() as server:
        answer = await calling(server, client, "http", can)
        found = answer.found["held call"]
        assert found.came["handle"]["state"] == "pending", found
        assert "lockgate_result with the handle q-1" in found.came["text"]
        assert found.asked == []
        assert question(server.stage).state == "pending"


@named
async def test_where_nobody_answers_it_is_told_in_the_end(
    tmp_path: Path, client: tuple[str, str]
) -> None:
    async with HeldServer(tmp_path).up() as server:
        pending(server.stage).hold_seconds = 0.2
        answer = await calling(server, client, "http", PAGES)
        found = answer.found["held call"]
        assert found.came["handle"]["state"] == "pending", found
        assert found.asked == [f"{CONSOLE}/console/approvals/q-1"], "once"
