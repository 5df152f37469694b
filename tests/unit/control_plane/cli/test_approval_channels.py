import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lockgate.model.notification import Notification
from support.channels import SECRET, verified
from support.desk import Answer, Desk
from support.paper_server import Paper, PaperServer


@pytest.fixture
async def server() -> AsyncIterator[PaperServer]:
    async with PaperServer() as running:
        yield running


@pytest.fixture
def house(desk: Desk, server: PaperServer) -> Desk:
    (desk.root / "hook").write_text(SECRET)
    (desk.root / "hook").chmod(0o600)
    desk.configure(f"""
approvals:
  channels:
    ops: {{kind: webhook, url: "{server.url}/hook", secret: "file:hook", factors: owner}}
""")
    return desk


async def typed(desk: Desk, *words: str) -> Answer:
    found = await asyncio.to_thread(desk.type, "approvals", "channels", *words)
    assert SECRET not in found.out + found.err
    return found


async def test_nothing_was_sent_yet(house: Desk) -> None:
    found = await typed(house)
    assert found.code == 0
    assert found.out.splitlines()[1].split() == ["ops", "webhook", "owner", "never", "0", "0"]


async def test_none_is_configured(desk: Desk) -> None:
    assert "names no channel" in (await typed(desk)).err


async def test_a_test_message(house: Desk, server: PaperServer) -> None:
    server.pages["/hook"] = Paper(status=204)
    found = await typed(house, "--test", "ops")
    assert (found.code, found.out) == (0, "ops took it.\n")
    assert verified(server.asked[0])["type"] == "approval.test"


async def test_a_test_that_is_not_taken(house: Desk, server: PaperServer) -> None:
    server.pages["/hook"] = Paper(status=500)
    found = await typed(house, "--test", "ops", "--json")
    assert found.code == 1
    assert found.json == {"channel": "ops", "taken": False, "why": "it answered 500"}
    assert (await typed(house, "--test", "pager")).code == 3


async def test_dead_letters_are_findings(house: Desk) -> None:
    with house.channels() as desk:
        desk.store.put([Notification(channel="ops", inquiry="q1", kind="asked", made=1, due=1)])
        desk.store.finish(desk.store.lease("ops", 1, 2, 1), "dead", 1, "it answered 410")
    found = await typed(house, "--json")
    rows: Any = found.json
    assert (found.code, rows[0]["dead"], rows[0]["trouble"]) == (1, 1, "it answered 410")


async def test_roles(house: Desk) -> None:
    house.configure(house.config.read_text() + "admin: {enforced: true}\n")
    assert (await typed(house)).code == 3
    assert (await typed(house, "--test", "ops")).code == 3
