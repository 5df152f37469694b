import asyncio
import gc
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.app import memory
from lockgate.app.listening import listen
from lockgate.app.seat import Seat
from lockgate.app.server import serve
from lockgate.app.settings_file import load


@pytest.fixture
def before() -> Iterator[tuple[int, int, int]]:
    """The thresholds that Python comes with. What was in force holds again afterwards."""
    found, usual = gc.get_threshold(), (700, 10, 10)
    gc.set_threshold(*usual)
    yield usual
    gc.set_threshold(*found)
    gc.unfreeze()


def test_what_is_loaded_is_left_alone_and_the_rest_seldom_looked_at(
    before: tuple[int, int, int],
) -> None:
    memory.settle()
    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold()[0] > 10 * before[0]


async def test_so_it_is_in_each_of_several_workers(
    tmp_path: Path, before: tuple[int, int, int]
) -> None:
    """A collection in the middle of calls is felt by whoever waits, whichever worker it is in."""
    config = tmp_path / "lockgate.yaml"
    config.write_text("listen: {port: 0}\n")
    (tmp_path / "policies").mkdir()
    ours, theirs = socket.socketpair()
    listener = listen("127.0.0.1", 0)
    # A socket's path must be short, which a test's own folder is not.
    with tempfile.TemporaryDirectory(prefix="lockgate-t-") as folder, ours:
        seat = Seat(0, 2, listener.detach(), theirs.detach(), folder)
        running = asyncio.ensure_future(serve(config, load(config), pytest.fail, seat))
        ours.setblocking(False)
        heard = asyncio.get_running_loop().sock_recv(ours, 100)
        assert await asyncio.wait_for(heard, 10) == b"ready\n"
        assert gc.get_threshold()[0] > 10 * before[0]
        ours.close()
        await asyncio.wait_for(running, 20)
