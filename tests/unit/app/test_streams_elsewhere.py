import asyncio
from collections.abc import AsyncIterator

import pytest

from lockgate.app.replay import Place, Replay
from lockgate.app.streams import Following
from lockgate.app.streams_elsewhere import StreamsElsewhere
from lockgate.model import Session
from lockgate.store.sealing import AesGcmSealer
from lockgate.wire.refusal import WireRefusal
from support.crews import NODES, peers

SESSION = Session("s1", "person:alice", "/mcp", "2025-11-25", "c", b"{}", 1)


class House:
    """A worker that keeps a stream, and one that wants to follow it."""

    def __init__(self) -> None:
        sealer = AesGcmSealer(b"k" * 32)
        self.kept = Replay(sealer, NODES[1], lambda: 1)
        self.other = Replay(sealer, NODES[0], lambda: 1)
        self.track = self.kept.open(SESSION)


@pytest.fixture
async def joined() -> AsyncIterator[tuple[House, StreamsElsewhere]]:
    house = House()
    async with peers() as (here, there):
        StreamsElsewhere(there, house.kept)
        yield house, StreamsElsewhere(here, house.other)


async def all_of(following: Following, until: bytes) -> bytes:
    said = b""
    async with asyncio.timeout(5):
        while until not in said:
            said += following.take()
            if until not in said:
                await following.changed(1)
    return said


async def test_what_followed_is_sent_and_what_comes(
    joined: tuple[House, StreamsElsewhere],
) -> None:
    house, here = joined
    for message in (b'"one"', b'"two"'):
        house.track.put(message)
    follower = await here.follow(house.track.place, 1)
    assert follower is not None
    said = await all_of(follower, b'"two"')
    assert b'"one"' not in said
    house.track.put(b'"three"')
    assert b'"three"' in await all_of(follower, b'"three"')
    assert not follower.over
    house.track.finish()
    async with asyncio.timeout(5):
        while not follower.over:
            follower.take()
            await follower.changed(1)


async def test_what_is_forgotten_is_gone(joined: tuple[House, StreamsElsewhere]) -> None:
    house, here = joined
    with pytest.raises(WireRefusal, match=r"stream\.gone"):
        await here.follow(house.track.place, 7)
    unknown = Place("person:alice", "s1", NODES[1], "no such stream")
    with pytest.raises(WireRefusal, match=r"stream\.gone"):
        await here.follow(unknown, 0)


async def test_a_worker_that_is_gone_cannot_be_followed() -> None:
    house = House()
    async with peers() as (here, there):
        await there.close()
        assert await StreamsElsewhere(here, house.other).follow(house.track.place, 0) is None


async def test_who_leaves_is_told_no_more(joined: tuple[House, StreamsElsewhere]) -> None:
    house, here = joined
    follower = await here.follow(house.track.place, 0)
    assert follower is not None
    assert house.track.follower is not None
    follower.leave(1)
    again = await here.follow(house.track.place, 0)  # told after the other was withdrawn
    assert again is not None
    house.track.put(b'"one"')
    assert b'"one"' in await all_of(again, b'"one"')
    assert follower.take() == b""


async def test_a_follower_ends_with_the_worker_that_kept_the_stream() -> None:
    house = House()
    async with peers() as (here, there):
        StreamsElsewhere(there, house.kept)
        follower = await StreamsElsewhere(here, house.other).follow(house.track.place, 0)
        assert follower is not None
        await there.close()
        async with asyncio.timeout(5):
            while not follower.over:
                follower.take()
                await follower.changed(1)
