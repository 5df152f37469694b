"""Whoever words what approvers read, stands where messages go, or reads what is written meanwhile.

The gateway is a real process; receivers are real servers on this machine.
"""

import asyncio
import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from lockgate.app.announcing import fetch_of
from lockgate.approval.channels import Channel, NotTaken
from lockgate.approval.messages import Message, email_of, slack_body, webhook_body
from lockgate.approval.sending import Sender
from support.channels import OLD_SECRET, SECRET, email, slack, verified, webhook
from support.client import McpClient, http_client
from support.gateway import Gateway, child
from support.inquiries import inquiry
from support.mail_server import running_mail_server
from support.paper_server import Asked, Paper, PaperServer

pytestmark = pytest.mark.e2e

log = logging.getLogger("lockgate.attacks")

DEADLINE = 30.0
SOON_MS = 1_000
POISON = (
    "clinic/x\r\nBcc: thief@evil.example\r\n\r\n<b>",
    "<!channel> <https://evil.example|Approve here> @here *now* `x`",
    "https://evil.example/approve",
    "\u202e\u2066evil\u0000\u001b[31m",
    "&lt;!everyone&gt;",
    "x" * 10_000,
)


def poisoned(text: str) -> Message:
    one = inquiry(title=text, holder=f"person:{text}", agent=text)
    return Message("m1", "asked", 1_000, (one,), "https://gate.example")


@pytest.mark.parametrize("text", POISON)
def test_words_of_others_do_nothing_in_slack(text: str) -> None:
    body = json.loads(slack_body(poisoned(text), Channel(name="c", names=True)))
    shown = [body["text"], body["blocks"][0]["text"]["text"]]
    for said in shown:
        assert not set(said) & set("<>\r\x00\x1b\u202e\u2066")
        assert "://" not in said.replace("https://gate.example", "")
        assert "evil.example" not in said
        assert "@here" not in said
        assert len(said) < 3_000
    assert body["mrkdwn"] is False
    assert [one["url"] for one in body["blocks"][1]["elements"]] == [
        "https://gate.example/console/approvals/q1"
    ]


@pytest.mark.parametrize("text", POISON)
def test_words_of_others_add_no_header_and_no_link_to_a_mail(text: str) -> None:
    with running_mail_server() as server:
        channel = email(server.port, names=True)
        mail = email_of(poisoned(text), channel)
        asyncio.run(Sender(fetch_of, lambda: 0)(channel, poisoned(text)))
        (given,), (arrived,) = server.given, server.mails
    assert given.rcpt_tos == ["dora@clinic.example"]
    for one in (mail, arrived):
        assert set(one.keys()) <= {
            "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version",
            "Content-Type", "Content-Transfer-Encoding", "X-Peer", "X-MailFrom", "X-RcptTo",
        }  # fmt: skip
        assert_harmless(one)


def assert_harmless(mail: EmailMessage) -> None:
    content = mail.get_content()
    assert mail.get_content_type() == "text/plain"
    assert "evil.example" not in content
    assert not set(content) & set("\x00\x1b\u202e\u2066")
    assert "\n" not in mail["Subject"]


@pytest.mark.parametrize("text", POISON)
def test_words_of_others_stay_words_in_json(text: str) -> None:
    body = json.loads(webhook_body(poisoned(text), Channel(name="c", names=True)))
    assert body["data"]["questions"][0]["title"] == text
    assert body["data"]["questions"][0]["id"] == "q1"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", [webhook, slack])
async def test_a_receiver_cannot_send_us_elsewhere(kind: Callable[..., Any], status: int) -> None:
    async with PaperServer() as server, PaperServer() as inner:
        moved = Paper(status=status, headers={"location": f"{inner.url}/admin"})
        channel = kind(server)
        server.pages[channel.url.removeprefix(server.url)] = moved
        with pytest.raises(NotTaken, match="not followed") as caught:
            await Sender(fetch_of, lambda: 0)(channel, poisoned("x"))
    assert caught.value.final
    assert (server.reached, inner.reached) == (1, 0)


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest", "https://169.254.169.254/", "https://10.0.0.1/hook",
            "https://[::ffff:127.0.0.1]/", "https://0.0.0.0/"]
)  # fmt: skip
async def test_addresses_that_only_we_can_reach_are_not_asked(url: str) -> None:
    channel = webhook(PaperServer(), url=url)
    with pytest.raises(NotTaken, match="may"):
        await Sender(fetch_of, lambda: 0)(channel, poisoned("x"))


class House:
    """A gateway whose tool needs an owner's yes, and a receiver."""

    def __init__(self, folder: Path, server: PaperServer) -> None:
        self.server = server
        self.told: asyncio.Queue[Asked] = asyncio.Queue()
        self.answer = Paper(status=204)
        server.pages["/hook"] = self._take
        self.chatted = asyncio.Event()
        server.pages["/services/T0/B0/x-secret-x"] = self._refuse
        for name, text in (("hook", SECRET), ("old", OLD_SECRET), ("slack", slack(server).url)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        upstream = child("modern", tools={"echo": {"hold": "owner"}})
        self.gate = Gateway(folder / "gate", {"echo": upstream}, approvals={"channels": {
            "ops": {"kind": "webhook", "url": f"{server.url}/hook", "secret": f"file:{folder}/hook",
                    "old_secret": f"file:{folder}/old"},
            "chat": {"kind": "slack", "url": f"file:{folder}/slack", "every_seconds": 0},
        }})  # fmt: skip

    def _take(self, asked: Asked) -> Paper:
        self.told.put_nowait(asked)
        return self.answer

    def _refuse(self, _: Asked) -> Paper:
        self.chatted.set()
        return Paper(status=500)

    async def call(self, text: str) -> None:
        async with http_client() as http:
            client = McpClient(http, f"{self.gate.url}/echo", self.gate.key("alice"))
            said = await client.modern("tools/call", {"name": "echo", "arguments": {"text": text}})
            assert "approv" in json.dumps(said.body), said.body

    async def next(self) -> Asked:
        async with asyncio.timeout(DEADLINE):
            return await self.told.get()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with PaperServer() as server:
        made = House(tmp_path, server)
        made.gate.key("alice")
        async with made.gate:
            yield made


async def test_a_held_call_is_told_within_a_second_and_without_what_is_in_it(house: House) -> None:
    times = []
    for number in range(20):
        began = time.monotonic()
        await house.call(f"private-{number}")
        asked = await house.next()
        times.append((time.monotonic() - began) * 1_000)
        told = verified(asked)
        assert verified(asked, OLD_SECRET) == told
        assert told["type"] == "approval.asked"
        assert "private" not in asked.body.decode()
        assert "alice" not in asked.body.decode()
    log.info(
        "from call to webhook: p50 %.0f ms, most %.0f ms", statistics.median(times), max(times)
    )
    assert statistics.median(times) < SOON_MS


async def test_no_secret_and_no_address_of_a_channel_is_written_anywhere(house: House) -> None:
    await house.call("private")
    await house.next()
    async with asyncio.timeout(DEADLINE):
        await house.chatted.wait()
    shown = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "lockgate.app.main", "-c", str(house.gate.config), "approvals",
         "channels", "--json"],
        capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert "it answered 500" in shown.stdout
    said = shown.stdout + shown.stderr + house.gate.log
    rows = json.dumps([[row.header, row.slots] for row in house.gate.rows()], default=str)
    for secret in (SECRET, OLD_SECRET, "x-secret-x"):
        assert secret not in said
        assert secret not in rows
