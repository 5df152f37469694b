import asyncio
import time

import pytest

from lockgate.app.announcing import fetch_of
from lockgate.approval.channels import NotTaken
from lockgate.approval.messages import Message
from lockgate.approval.sending import LONGEST_WAIT_MS, Sender
from support.channels import OLD_SECRET, SECRET, email, slack, verified, webhook
from support.inquiries import inquiry
from support.mail_server import running_mail_server
from support.paper_server import Paper, PaperServer

TOLD = Message("m1", "asked", 1_000, (inquiry(),))


def now_ms() -> int:
    return time.time_ns() // 1_000_000


SEND = Sender(fetch_of, now_ms)


async def test_a_webhook_is_signed_with_every_secret() -> None:
    async with PaperServer() as server:
        server.pages["/hook"] = Paper(status=204)
        await SEND(webhook(server, secrets=(SECRET, OLD_SECRET)), TOLD)
    (asked,) = server.asked
    assert (asked.verb, asked.headers["webhook-id"]) == ("POST", "msg_m1")
    for secret in (SECRET, OLD_SECRET):
        assert verified(asked, secret)["data"]["questions"][0]["id"] == "q1"


async def test_slack_gets_no_signature() -> None:
    async with PaperServer() as server:
        server.pages["/services/T0/B0/x-secret-x"] = Paper(b"ok")
        await SEND(slack(server), TOLD)
    (asked,) = server.asked
    assert not any(name.startswith("webhook-") for name in asked.headers)


async def test_a_mail_goes_out() -> None:
    with running_mail_server() as server:
        await SEND(email(server.port), TOLD)
    assert len(server.given) == 1


@pytest.mark.parametrize(
    ("status", "final"), [(500, False), (503, False), (429, False), (408, False), (400, True),
                          (404, True), (410, True), (302, True), (307, True)]
)  # fmt: skip
async def test_which_answers_end_it(status: int, final: bool) -> None:
    async with PaperServer() as server:
        server.pages["/hook"] = Paper(b"said", status=status)
        with pytest.raises(NotTaken, match=str(status)) as caught:
            await SEND(webhook(server), TOLD)
    assert caught.value.final is final


@pytest.mark.parametrize(
    ("asked", "wait"), [("7", 7_000), ("99999", LONGEST_WAIT_MS), ("soon", 0), ("-1", 0), ("²", 0)]
)
async def test_whoever_asks_for_time_gets_some(asked: str, wait: int) -> None:
    async with PaperServer() as server:
        server.pages["/hook"] = Paper(status=429, headers={"retry-after": asked})
        with pytest.raises(NotTaken) as caught:
            await SEND(webhook(server), TOLD)
    assert caught.value.wait == wait


async def test_an_unfit_secret_or_a_broken_channel_sends_nothing() -> None:
    async with PaperServer() as server:
        for channel in (webhook(server, secrets=("x",)), webhook(server, broken="no secret")):
            with pytest.raises(NotTaken, match="secret"):
                await SEND(channel, TOLD)
    assert server.reached == 0


async def test_nobody_there_is_told_without_the_address() -> None:
    async with PaperServer() as server:
        channel = slack(server)
    await asyncio.sleep(0)
    with pytest.raises(NotTaken) as caught:
        await SEND(channel, TOLD)
    assert "x-secret-x" not in str(caught.value)
    assert not caught.value.final
