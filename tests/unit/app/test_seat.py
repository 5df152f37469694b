import asyncio
import fcntl
import json
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from lockgate.app.seat import Door, Line, Protocols, Seat, read_seat, workers_folder


class Server:
    """As much of one as a line needs."""

    def __init__(self) -> None:
        self.ready: Callable[[], None] = lambda: None
        self.shared = False
        self.should_exit = False


@pytest.fixture
async def joined() -> AsyncIterator[tuple[Line, Server, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    line, server = Line(Seat(1, 2, -1, theirs.detach(), "/f")), Server()
    line.attach(server)
    yield line, server, ours
    line.close()
    ours.close()


def test_a_seat_is_read_as_it_was_written() -> None:
    said = {"index": 1, "count": 2, "listener": 3, "line": 4, "folder": "/f"}
    assert read_seat(json.dumps(said)) == Seat(1, 2, 3, 4, "/f")


async def test_a_worker_says_when_it_is_ready_and_when_it_is_drained(
    joined: tuple[Line, Server, socket.socket],
) -> None:
    line, server, over = joined
    server.ready()
    assert server.shared
    assert over.recv(100) == b"ready\n"
    draining = asyncio.ensure_future(line.drained())
    assert await asyncio.to_thread(over.recv, 100) == b"drained\n"
    assert not draining.done()
    over.send(b"end\n")
    async with asyncio.timeout(5):
        await draining
    assert not server.should_exit


async def test_a_worker_ends_with_whoever_stands_over_it(
    joined: tuple[Line, Server, socket.socket],
) -> None:
    line, server, over = joined
    over.close()
    async with asyncio.timeout(5):
        await line.drained()
    assert server.should_exit


async def test_also_where_that_came_before_there_was_a_server() -> None:
    ours, theirs = socket.socketpair()
    with closing(Line(Seat(0, 2, -1, theirs.detach(), "/f"))) as line:
        ours.close()
        async with asyncio.timeout(5):
            await line.drained()
        server = Server()
        line.attach(server)
        assert server.should_exit


class Guest(asyncio.Protocol):
    def __init__(self, guests: list[asyncio.BaseTransport]) -> None:
        self._guests = guests

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._guests.append(transport)


async def test_a_crowd_is_shared_by_all_who_stand_at_the_door() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        listener.setblocking(False)
        crowd = [socket.create_connection(listener.getsockname()) for _ in range(40)]
        guests: tuple[list[asyncio.BaseTransport], ...] = ([], [])
        ours = [socket.socket(fileno=os.dup(listener.fileno())) for _ in guests]
        doors = [Door(one, _guests(each)) for one, each in zip(ours, guests, strict=True)]
        for _ in range(10_000):
            await asyncio.sleep(0)
            if sum(map(len, guests)) == 40:
                break
        for door in doors:
            door.close()
        with socket.create_connection(listener.getsockname()):
            await asyncio.sleep(0)
            assert sum(map(len, guests)) == 40
        assert min(map(len, guests)) >= 10
        for transport in (*guests[0], *guests[1]):
            transport.close()
        for one in (*crowd, *ours):
            one.close()


def _guests(kept: list[asyncio.BaseTransport]) -> Callable[[], Guest]:
    return lambda: Guest(kept)


def test_each_start_has_a_private_folder_and_clears_those_left_behind(tmp_path: Path) -> None:
    data = Path(os.path.relpath(tmp_path))  # also a long name, so that it may not fit
    first, held = workers_folder(data)
    assert first.stat().st_mode & 0o777 == 0o700
    with pytest.raises(BlockingIOError), (first / "lock").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    second, also_held = workers_folder(data)
    assert first.exists(), "somebody holds it"
    os.close(held)
    third, last = workers_folder(data)
    assert not first.exists()
    assert second.exists()
    for handle in (also_held, last):
        os.close(handle)
    fourth, handle = workers_folder(data)
    assert not any(old.exists() for old in (second, third))
    os.close(handle)
    assert fourth.exists()


def test_a_folder_too_deep_for_a_socket_is_replaced_by_a_shallow_one(tmp_path: Path) -> None:
    folder, handle = workers_folder(tmp_path / ("deep" * 30))
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(folder / "63.sock"))
    os.close(handle)


async def test_while_many_are_greeted_no_more_are_accepted() -> None:
    held, greeted = asyncio.Event(), []

    async def slowly(_: Protocols, connection: socket.socket) -> None:
        greeted.append(connection)
        await held.wait()
        connection.close()

    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        listener.setblocking(False)
        crowd = [socket.create_connection(listener.getsockname()) for _ in range(4)]
        door = Door(listener, _guests([]), slowly, most=2)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(greeted) == 2
        held.set()
        async with asyncio.timeout(10):
            for one in crowd:
                one.setblocking(False)
                assert await asyncio.get_running_loop().sock_recv(one, 1) == b""
        door.close()
        for one in crowd:
            one.close()
    assert len(greeted) == 4
