"""What ``test_send_stdio`` and ``test_send_http`` do not reach."""

import asyncio
import json
import logging
from contextlib import ExitStack
from typing import Any

import pytest

from lockgate.model import Envelope, JournalDown, Terms
from lockgate.model.call import EraName
from lockgate.upstream.deadline import Deadline
from lockgate.upstream.link import Event, LinkReply, Peer
from lockgate.upstream.running import Running
from lockgate.upstream.traffic import Held, Traffic
from lockgate.wire.jsonrpc import Message
from support.fake_link import Ear

ASKABLE = Terms("person:alice", "legacy", b'{"roots":{}}', "s1")
LOUD = Envelope("legacy", progress=True, log_level="debug")


class World:
    def __init__(self, terms: Terms = ASKABLE, era: EraName = "legacy") -> None:
        self.events: list[Event] = []
        self.said: list[Any] = []
        self.told = asyncio.Event()
        self.traffic = Traffic(Held("one", terms, self.events.append), Peer(era, "x"), self.say)
        self.running = ExitStack()

    def say(self, message: bytes) -> None:
        self.said.append(json.loads(message))
        self.told.set()

    def request(self, number: int, ear: Ear | None, envelope: Envelope = LOUD) -> Running | None:
        asked = self.traffic.request(number, ear, envelope, Deadline(60))
        return self.running.enter_context(asked)

    def ask(self, id: int | str = 7, method: str = "roots/list") -> None:
        self.traffic.hear(Message("request", id, method))

    def tell(self, method: str, own: Running | None = None, **params: object) -> None:
        said = Message("notification", None, method, json.dumps(params).encode())
        self.traffic.hear(said, own)

    async def answer(self) -> Any:
        async with asyncio.timeout(5):
            await self.told.wait()
        self.told.clear()
        return self.said[-1]


async def test_the_newest_request_is_asked_that_can_be() -> None:
    world, old, new = World(), Ear(), Ear()
    world.request(1, old)
    world.request(2, new)
    world.request(3, None)
    world.ask("a")
    assert await world.answer() == {"jsonrpc": "2.0", "id": "a", "result": {"roots": []}}
    assert (old.asks, new.asks) == ([], [("roots/list", {}, "legacy")])


async def test_a_question_is_put_once() -> None:
    world, ear = World(), Ear()
    ear.hold = asyncio.Event()
    world.request(1, ear)
    world.ask()
    world.ask()
    await ear.asked.wait()
    ear.hold.set()
    await world.answer()
    assert len(ear.asks) == len(world.said) == 1


async def test_with_the_end_of_its_request_a_question_is_answered_with_an_error() -> None:
    world, ear = World(), Ear()
    ear.hold = asyncio.Event()
    world.request(1, ear)
    world.ask()
    await ear.asked.wait()
    world.running.close()
    assert (await world.answer())["error"]["code"] == -32603
    assert ear.withdrawn.is_set()


async def test_what_was_withdrawn_gets_no_answer() -> None:
    world, ear = World(), Ear()
    ear.hold = asyncio.Event()
    world.request(1, ear)
    world.ask()
    await ear.asked.wait()
    world.tell("notifications/cancelled", requestId="unknown")
    world.tell("notifications/cancelled", requestId=None)
    world.tell("notifications/cancelled", requestId=7)
    async with asyncio.timeout(5):
        await ear.withdrawn.wait()
    world.ask(8, "ping")
    assert (await world.answer())["id"] == 8
    assert len(world.said) == 1


async def test_a_question_that_fails_is_an_internal_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(Ear):
        async def ask(self, method: str, params: bytes, era: EraName) -> LinkReply:
            raise JournalDown("disk full: secret")

    world = World()
    world.request(1, Failing())
    with caplog.at_level(logging.WARNING):
        world.ask()
        said = await world.answer()
    assert said["error"] == {"code": -32603, "message": "Internal error"}
    assert "JournalDown" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("terms", "era", "method", "code"),
    [
        (Terms("person:alice"), "legacy", "roots/list", -32601),
        (Terms(""), "legacy", "roots/list", -32601),
        (Terms("a", "modern", b'{"sampling":{}}'), "legacy", "sampling/createMessage", -32601),
        (ASKABLE, "legacy", "tools/list", -32601),
        (ASKABLE, "modern", "roots/list", None),
    ],
    ids=["nothing declared", "shared", "nothing that crosses", "no question", "modern"],
)
def test_what_is_asked_of_nobody(terms: Terms, era: EraName, method: str, code: int | None) -> None:
    world, ear = World(terms, era), Ear()
    world.request(1, ear)
    world.ask(7, method)
    assert [one["error"]["code"] for one in world.said] == ([code] if code else [])
    assert ear.asks == []


async def test_progress_goes_to_the_request_whose_token_it_has() -> None:
    world, one, two = World(), Ear(), Ear()
    world.request(1, one)
    world.request(2, two)
    for token in (1, "1", 3, True, None):
        world.tell("notifications/progress", progressToken=token, progress=1)
    assert (len(one.notes), len(two.notes)) == (1, 0)


def test_messages_go_to_their_own_request_or_the_newest_or_are_events() -> None:
    world, old, new = World(), Ear(), Ear()
    first = world.request(1, old)
    world.request(2, new)
    world.tell("notifications/message", first, level="info", data=1)
    world.tell("notifications/message", level="info", data=2)
    world.running.close()
    world.tell("notifications/message", level="info", data=3)
    assert [told["data"] for _, told in old.notes] == [1]
    assert [told["data"] for _, told in new.notes] == [2]
    assert [json.loads(event.params)["data"] for event in world.events] == [3]


def test_on_a_shared_link_what_has_no_stream_of_its_own_belongs_to_nobody() -> None:
    world, ear = World(Terms("")), Ear()
    mine = world.request(1, ear)
    world.tell("notifications/message", level="info", data=1)
    world.tell("notifications/message", mine, level="info", data=2)
    assert [told["data"] for _, told in ear.notes] == [2]
    assert world.events == [
        Event("one", Terms(""), "notifications/message", b'{"level": "info", "data": 1}')
    ]


def test_changes_are_events_also_while_a_request_runs() -> None:
    world, ear = World(), Ear()
    mine = world.request(1, ear)
    methods = [
        "notifications/tools/list_changed", "notifications/prompts/list_changed",
        "notifications/resources/list_changed", "notifications/resources/updated",
        "notifications/elicitation/complete",
    ]  # fmt: skip
    for method in methods:
        world.tell(method, mine)
    world.tell("notifications/roots/list_changed", mine)
    world.tell("notifications/tasks/status")
    assert [event.method for event in world.events] == methods
    assert ear.notes == []
