"""Approvers are told by a gateway of two workers, each step once, whichever database they share."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from support.channels import SECRET, verified
from support.client import McpClient, http_client
from support.gateway import Gateway, child
from support.mail_server import running_mail_server
from support.paper_server import Asked, Paper, PaperServer

pytestmark = pytest.mark.e2e

DEADLINE = 60.0
QUESTIONS = 5


class House:
    def __init__(self, folder: Path, server: PaperServer, mail_port: int, database: str) -> None:
        self.told: asyncio.Queue[Asked] = asyncio.Queue()
        server.pages["/hook"] = self._take
        (folder / "hook").write_text(SECRET)
        (folder / "hook").chmod(0o600)
        (folder / "database").write_text(database)
        (folder / "database").chmod(0o600)
        channels: dict[str, Any] = {
            "ops": {"kind": "webhook", "url": f"{server.url}/hook",
                    "secret": f"file:{folder}/hook"},
            "mail": {"kind": "email", "host": "127.0.0.1", "port": mail_port, "tls": "none",
                     "sender": "gate@clinic.example", "to": "dora@clinic.example"},
        }  # fmt: skip
        more = {"database": f"file:{folder}/database"} if database else {}
        self.gate = Gateway(
            folder / "gate", {"echo": child("modern", tools={"echo": {"hold": "owner"}})},
            listen={"port": 0, "workers": 2}, approvals={"channels": channels}, **more,
        )  # fmt: skip
        made: Any = orjson.loads(self.gate.cli(
            "keys", "create", "--kind", "personal", "--owner", "alice", "--expires", "9d", "--json"
        ))  # fmt: skip
        self.key = str(made["key"])

    def _take(self, asked: Asked) -> Paper:
        self.told.put_nowait(asked)
        return Paper(status=204)

    async def next(self, count: int) -> list[dict[str, Any]]:
        """The next questions told of, each with its step."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(DEADLINE):
            while len(found) < count:
                body = verified(await self.told.get())
                found += [{**one, "step": body["type"]} for one in body["data"]["questions"]]
        return found


@pytest.fixture(params=["sqlite", "postgresql"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    async with PaperServer() as server:
        with running_mail_server() as mail:
            made = House(tmp_path, server, mail.port, url)
            async with made.gate:
                yield made
            assert mail.given
            assert all(one.rcpt_tos == ["dora@clinic.example"] for one in mail.given)


async def test_each_step_of_each_question_is_told_once(house: House) -> None:
    async def ask(number: int) -> None:
        async with http_client() as http:
            client = McpClient(http, f"{house.gate.url}/echo", house.key)
            await client.call("echo", {"text": f"private-{number}"})

    await asyncio.gather(*(ask(number) for number in range(QUESTIONS)))
    asked = await house.next(QUESTIONS)
    assert {one["step"] for one in asked} == {"approval.asked"}
    assert max(Counter(one["id"] for one in asked).values()) == 1
    denied = asked[0]["id"]
    await asyncio.to_thread(house.gate.cli, "approvals", "deny", denied)
    (ended,) = await house.next(1)
    assert (ended["id"], ended["step"], ended["state"]) == (denied, "approval.decided", "denied")
    rows: Any = orjson.loads(
        await asyncio.to_thread(house.gate.cli, "approvals", "channels", "--json")
    )
    assert {one["channel"]: one["dead"] for one in rows} == {"mail": 0, "ops": 0}
    assert house.told.empty()
