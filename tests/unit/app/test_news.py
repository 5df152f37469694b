import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from lockgate.app.news import News
from lockgate.control_plane.console.changes import Stopping
from lockgate.model import StoreDown

A = frozenset({"a"})


class Feed:
    def __init__(self) -> None:
        self.rows = {"a": 1, "b": 1}
        self.reads = 0
        self.down = False

    def versions(self) -> Mapping[str, int]:
        self.reads += 1
        if self.down:
            raise StoreDown("away")
        return dict(self.rows)


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
async def news(feed: Feed) -> AsyncIterator[News]:
    made = News(feed, {"own": lambda: feed.rows.get("own", 0)})
    task = asyncio.ensure_future(made.task())
    yield made
    task.cancel()


async def waited(news: News, topics: frozenset[str], since: Mapping[str, int]) -> Mapping[str, int]:
    async with asyncio.timeout(10):
        return await news.wait(topics, since)


async def test_who_waits_is_told_of_a_change_of_what_they_named(news: News, feed: Feed) -> None:
    assert await news.now(A) == {"a": 1}
    waiting = asyncio.ensure_future(waited(news, A, {"a": 1}))
    other = asyncio.ensure_future(waited(news, frozenset({"own"}), {"own": 0}))
    feed.rows["b"] = 2
    feed.rows["own"] = 7
    assert await other == {"own": 7}
    assert not waiting.done()
    feed.rows["a"] = 2
    assert await waiting == {"a": 2}


async def test_who_is_behind_is_told_at_once(news: News) -> None:
    assert await waited(news, A, {"a": 0}) == {"a": 1}


async def test_nothing_is_read_while_nobody_wants_to_know(news: News, feed: Feed) -> None:
    await news.now(A)
    await news.now(A)
    assert feed.reads == 1, "what was just read is good"


async def test_a_store_that_is_down_keeps_those_waiting_who_wait(news: News, feed: Feed) -> None:
    feed.down = True
    with pytest.raises(StoreDown):
        await news.now(A)
    waiting = asyncio.ensure_future(waited(news, A, {"a": 1}))
    feed.down, feed.rows["a"] = False, 5
    assert await waiting == {"a": 5}


async def test_the_end_is_told_to_all_who_wait(news: News) -> None:
    waiting = [asyncio.ensure_future(waited(news, A, {"a": 1})) for _ in range(3)]
    await news.now(A)
    news.stop()
    for one in waiting:
        with pytest.raises(Stopping):
            await one
    with pytest.raises(Stopping):
        await waited(news, A, {"a": 0})
