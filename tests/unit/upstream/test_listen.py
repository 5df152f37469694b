"""Listening to a modern upstream, over one that says what each test wants."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from lockgate.model import SendFailed, Terms
from lockgate.upstream.declared import Declared
from lockgate.upstream.link import Event, LinkReply
from lockgate.upstream.listen import NOT_GRANTED, Listen, subscribed, uri_of
from lockgate.upstream.pause import Pause
from lockgate.upstream.traffic import Held
from lockgate.wire.jsonrpc import Message

ALICE = Terms("alice")
UPDATED = "notifications/resources/updated"
TOOLS = "notifications/tools/list_changed"
EVERYTHING = Declared(frozenset({"tools"}), subscribe=True)
DONE = LinkReply(b"{}")


class World:
    """An upstream that grants each listen but for ``refuses``, or answers it with ``answer``."""

    def __init__(self, told: Declared = EVERYTHING) -> None:
        self.events: list[Event] = []
        self.told = asyncio.Event()
        self.asked: list[Any] = []
        self.open: dict[int, asyncio.Future[LinkReply]] = {}
        self.refuses: set[str] = set()
        self.answer: LinkReply | SendFailed | None = None
        self.opened = asyncio.Event()
        self.moved = asyncio.Event()
        self._ids = iter(range(1, 1000))
        held = Held("one", ALICE, self.hear)
        self.listen = Listen(held, told, self._ids.__next__, self.ask, Pause(0.01))

    def hear(self, event: Event) -> None:
        self.events.append(event)
        self.told.set()

    async def ask(self, number: int, params: bytes) -> LinkReply:
        wanted = json.loads(params)["notifications"]
        self.asked.append(wanted)
        self.moved.set()
        if isinstance(self.answer, SendFailed):
            raise self.answer
        if self.answer:
            return self.answer
        uris = [uri for uri in wanted.get("resourceSubscriptions", ()) if uri not in self.refuses]
        granted = {**wanted, "resourceSubscriptions": uris}
        self.open[number] = asyncio.get_running_loop().create_future()
        self.say(number, "notifications/subscriptions/acknowledged", notifications=granted)
        self.opened.set()
        try:
            return await self.open[number]
        finally:
            del self.open[number]
            self.moved.set()

    def say(self, number: object, method: str, **params: object) -> bool:
        meta = {"io.modelcontextprotocol/subscriptionId": number}
        said = json.dumps({**params, "_meta": meta}).encode()
        return self.listen.hear(Message("notification", None, method, said))

    async def opening(self) -> None:
        async with asyncio.timeout(5):
            await self.opened.wait()
        self.opened.clear()

    async def telling(self) -> None:
        async with asyncio.timeout(5):
            await self.told.wait()
        self.told.clear()

    async def settled(self, count: int) -> None:
        """Until that many listens are open."""
        await self.until(lambda: len(self.open) == count)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not true():
                self.moved.clear()
                await self.moved.wait()


async def test_changed_lists_are_listened_for_where_they_are_told() -> None:
    world = World()
    world.listen.start()
    await world.opening()
    assert world.asked == [{"toolsListChanged": True}]
    assert world.say(1, TOOLS)
    assert world.events == [Event("one", ALICE, TOOLS, b"{}")]
    world.listen.stop()
    await world.settled(0)
    silent = World(Declared())
    silent.listen.start()
    assert silent.asked == []


async def test_what_belongs_to_no_listen_of_ours() -> None:
    world = World()
    world.listen.start()
    await world.opening()
    untagged = Message("notification", None, TOOLS, b"{}")
    assert not world.listen.hear(untagged)
    for number in (7, "1", None, 1.5, True):
        assert world.say(number, TOOLS), "of another listen: dropped"
    assert world.say(1, "notifications/progress")
    assert world.events == []
    world.listen.stop()


async def test_subscribing_opens_a_wider_listen_and_then_closes_the_first() -> None:
    world = World()
    world.listen.start()
    await world.opening()
    assert await world.listen.subscribe("file:///b") == DONE
    assert await world.listen.subscribe("file:///a") == DONE
    assert await world.listen.subscribe("file:///a") == DONE
    assert world.asked == [
        {"toolsListChanged": True},
        {"toolsListChanged": True, "resourceSubscriptions": ["file:///b"]},
        {"toolsListChanged": True, "resourceSubscriptions": ["file:///a", "file:///b"]},
    ]
    await world.settled(1)
    assert world.listen.uris == {"file:///a", "file:///b"}
    world.say(3, UPDATED, uri="file:///a")
    world.say(1, TOOLS)
    assert world.events == [Event("one", ALICE, UPDATED, b'{"uri": "file:///a"}')]
    world.listen.stop()


async def test_what_is_not_granted_is_an_error_and_changes_nothing() -> None:
    world = World()
    world.refuses = {"file:///no"}
    assert await world.listen.subscribe("file:///yes") == DONE
    assert await world.listen.subscribe("file:///no") == NOT_GRANTED
    await world.settled(1)
    assert world.listen.uris == {"file:///yes"}
    assert world.say(1, UPDATED, uri="file:///yes")
    assert len(world.events) == 1
    world.listen.stop()


async def test_an_upstream_that_tells_of_no_resource_is_not_asked() -> None:
    world = World(Declared(frozenset({"tools"})))
    assert await world.listen.subscribe("file:///a") == NOT_GRANTED
    assert world.asked == []


async def test_an_error_and_a_failure_are_told_to_who_subscribes() -> None:
    world = World()
    world.answer = LinkReply(b'{"code":-32603,"message":"full"}', is_error=True)
    assert await world.listen.subscribe("file:///a") == world.answer
    world.answer = LinkReply(b"{}")
    assert (await world.listen.subscribe("file:///a")).is_error
    world.answer = SendFailed("upstream.crashed", "x")
    with pytest.raises(SendFailed, match="x"):
        await world.listen.subscribe("file:///a")
    assert world.listen.uris == frozenset()


async def test_unsubscribing_narrows_it_and_the_last_ends_it() -> None:
    world = World(Declared(subscribe=True))
    for uri in ("file:///a", "file:///b"):
        await world.listen.subscribe(uri)
    assert await world.listen.unsubscribe("file:///never") == DONE
    assert await world.listen.unsubscribe("file:///a") == DONE
    assert world.asked[-1] == {"resourceSubscriptions": ["file:///b"]}
    assert await world.listen.unsubscribe("file:///b") == DONE
    await world.settled(0)
    assert len(world.asked) == 3
    assert world.listen.uris == frozenset()


async def test_after_a_drop_it_is_opened_again_and_all_is_looked_at_anew() -> None:
    world = World()
    await world.listen.subscribe("file:///a")
    world.opened.clear()
    world.open[1].set_exception(SendFailed("upstream.crashed"))
    await world.opening()
    await world.telling()
    assert world.asked[1] == world.asked[0]
    assert [(event.method, event.params) for event in world.events] == [
        (TOOLS, b"{}"),
        (UPDATED, b'{"uri":"file:///a"}'),
    ]
    world.listen.stop()


async def test_an_orderly_end_is_a_drop_too_and_failing_is_borne() -> None:
    world = World()
    world.listen.start()
    await world.opening()
    world.answer = SendFailed("upstream.unreachable")
    world.open[1].set_result(LinkReply(b"{}"))
    await world.until(lambda: len(world.asked) >= 3)
    world.answer = None
    await world.opening()
    await world.telling()
    world.listen.stop()


async def test_who_knows_no_listen_is_asked_once() -> None:
    world = World()
    world.answer = LinkReply(b'{"code":-32601,"message":"no"}', is_error=True)
    world.listen.start()
    assert world.listen._again
    await asyncio.wait({world.listen._again}, timeout=5)
    assert world.listen._again.done()
    assert len(world.asked) == 1


async def test_one_that_ends_as_soon_as_it_is_granted_is_opened_again() -> None:
    world = World()
    ending = asyncio.create_task(world.listen.subscribe("file:///a"))
    await world.opening()
    world.open[1].set_result(LinkReply(b"{}"))
    assert await ending == DONE
    await world.opening()
    world.listen.stop()


async def test_cancelling_who_subscribes_ends_the_new_listen() -> None:
    world = World()

    async def never(number: int, params: bytes) -> LinkReply:
        world.asked.append(params)
        world.opened.set()
        try:
            await asyncio.Event().wait()
        finally:
            world.told.set()
        return DONE

    listen = Listen(Held("one", ALICE), EVERYTHING, iter(range(9)).__next__, never)
    asking = asyncio.create_task(listen.subscribe("file:///a"))
    await world.opening()
    asking.cancel()
    await world.telling()
    assert listen.uris == frozenset()


def test_what_a_legacy_upstream_was_subscribed_to() -> None:
    uris: frozenset[str] = frozenset()
    for method, uri, reply in (
        ("resources/subscribe", "a", DONE),
        ("resources/subscribe", "b", NOT_GRANTED),
        ("resources/subscribe", "c", DONE),
        ("resources/unsubscribe", "c", NOT_GRANTED),
        ("resources/read", "d", DONE),
    ):
        uris = subscribed(uris, method, json.dumps({"uri": uri}).encode(), reply)
    assert uris == {"a"}
    assert uri_of(b'{"uri":7}') == uri_of(b"{}") == ""
