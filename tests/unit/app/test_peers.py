import asyncio
import logging
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from lockgate.app.peers import Hear, Peers
from lockgate.model import PeerGone
from support.crews import NODES, peers

HERE, THERE = NODES


async def echo(body: bytes, heard: Hear) -> bytes:
    heard(b"heard " + body)
    return b"said " + body


class Slow:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.ended = asyncio.Event()
        self.cancelled = False

    async def __call__(self, body: bytes, heard: Hear) -> bytes:
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.ended.set()
        return body


async def test_one_asks_and_hears_another() -> None:
    async with peers() as (here, there):
        there.serve("echo", echo)
        heard: list[bytes] = []
        assert await here.ask(THERE, "echo", b"1", heard.append) == b"said 1"
        assert heard == [b"heard 1"]


async def test_one_may_ask_itself() -> None:
    async with peers() as (here, _):
        here.serve("echo", echo)
        assert await here.ask(HERE, "echo", b"1") == b"said 1"


async def test_many_asks_share_a_connection_and_each_gets_its_own_answer() -> None:
    async with peers() as (here, there):
        there.serve("echo", echo)
        bodies = [str(n).encode() * 10_000 for n in range(50)]
        said = await asyncio.gather(*(here.ask(THERE, "echo", body) for body in bodies))
        assert said == [b"said " + body for body in bodies]


async def test_an_ask_that_is_cancelled_is_cancelled_there() -> None:
    slow = Slow()
    async with peers() as (here, there):
        there.serve("slow", slow)
        asking = asyncio.ensure_future(here.ask(THERE, "slow", b""))
        await slow.begun.wait()
        asking.cancel()
        async with asyncio.timeout(5):
            await slow.ended.wait()
        assert slow.cancelled


async def test_whoever_worked_on_it_is_told_that_its_asker_is_gone() -> None:
    slow = Slow()
    async with peers() as (here, there):
        there.serve("slow", slow)
        asking = asyncio.ensure_future(here.ask(THERE, "slow", b""))
        await slow.begun.wait()
        await here.close()
        async with asyncio.timeout(5):
            await slow.ended.wait()
        with pytest.raises(PeerGone) as gone:
            await asking
        assert slow.cancelled
        assert gone.value.sent


async def test_who_ends_before_it_answers_is_gone_and_may_have_acted() -> None:
    slow = Slow()
    async with peers() as (here, there):
        there.serve("slow", slow)
        asking = asyncio.ensure_future(here.ask(THERE, "slow", b""))
        await slow.begun.wait()
        await there.close()
        with pytest.raises(PeerGone) as gone:
            await asking
        assert gone.value.sent


@pytest.mark.parametrize("node", [THERE, "other-host.1", ""])
async def test_who_was_never_reached_has_not_acted(node: str) -> None:
    async with peers() as (here, there):
        await there.close()
        with pytest.raises(PeerGone) as gone:
            await here.ask(node, "echo", b"")
        assert not gone.value.sent


async def test_one_that_comes_back_is_reached_again() -> None:
    async with peers() as (here, there):
        there.serve("echo", echo)
        await here.ask(THERE, "echo", b"")
        await there.close()
        again = Peers(THERE, NODES, there._folder)
        again.serve("echo", echo)
        await again.start()
        try:
            with suppress(PeerGone):  # where its end has not been noticed yet
                await here.ask(THERE, "echo", b"1")
            assert await here.ask(THERE, "echo", b"2") == b"said 2"
        finally:
            await again.close()


async def test_a_socket_that_a_killed_worker_left_is_replaced() -> None:
    with tempfile.TemporaryDirectory(prefix="lockgate-t-") as folder:
        (Path(folder) / "0.sock").touch()
        made = Peers(HERE, NODES, Path(folder))
        await made.start()
        await made.close()


async def test_a_handler_that_fails_is_logged_where_it_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(body: bytes, heard: Hear) -> bytes:
        raise RuntimeError("no")

    async with peers() as (here, there):
        there.serve("broken", broken)
        with caplog.at_level(logging.ERROR), pytest.raises(PeerGone):
            await here.ask(THERE, "broken", b"")
        assert "broken for another worker failed" in caplog.text
        with pytest.raises(PeerGone):
            await here.ask(THERE, "nobody serves this", b"")


async def test_all_others_are_told_and_who_is_away_is_left_out() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    three = (*NODES, "host.2")

    def telling(node: str) -> Callable[[bytes, Hear], "asyncio.Future[bytes]"]:
        def tell(body: bytes, heard: Hear) -> "asyncio.Future[bytes]":
            told.put_nowait(f"{node} {body.decode()}")
            done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            done.set_result(b"")
            return done

        return tell

    async with peers(three) as made:
        for each in made:
            each.serve("tell", telling(each.node))
        await made[2].close()
        made[0].tell_all("tell", b"x")
        async with asyncio.timeout(5):
            assert await told.get() == "host.1 x"
        assert told.empty()


def test_all_agree_who_owns_what_and_it_is_shared_evenly() -> None:
    nodes = tuple(f"host.{n}" for n in range(4))
    made = [Peers(node, nodes, Path()) for node in nodes]
    keys = [str(n).encode() for n in range(2_000)]
    owners = Counter(made[0].owner(key) for key in keys)
    assert all([each.owner(key) for key in keys] == [made[0].owner(key) for key in keys]
               for each in made)  # fmt: skip
    assert set(owners) == set(nodes)
    assert min(owners.values()) > 400
