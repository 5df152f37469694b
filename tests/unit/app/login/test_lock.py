import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lockgate.app.login.lock import LockBusy, locked

HOLDER = """
import fcntl, os, sys
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


async def test_one_at_a_time(tmp_path: Path) -> None:
    place, inside, most = tmp_path / "sub" / "lock", 0, 0

    async def one() -> None:
        nonlocal inside, most
        async with locked(place):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(one() for _ in range(5)))
    assert most == 1
    assert place.stat().st_mode & 0o777 == 0o600


async def test_another_process_holds_it_until_it_ends(tmp_path: Path) -> None:
    place = tmp_path / "lock"
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, place, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert await asyncio.wait_for(holder.stdout.readline(), 10) == b"held\n"
    with pytest.raises(LockBusy):
        async with locked(place, 0.05):
            pass
    holder.kill()
    await asyncio.wait_for(holder.wait(), 10)
    async with locked(place, 10):
        pass


async def test_it_is_free_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"):
        async with locked(tmp_path / "lock"):
            raise ValueError("inside")
    async with locked(tmp_path / "lock", 0.05):
        pass


async def test_a_link_that_somebody_laid_there_is_not_followed(tmp_path: Path) -> None:
    os.symlink(tmp_path / "elsewhere", tmp_path / "lock")
    with pytest.raises(OSError, match="symbolic links"):
        async with locked(tmp_path / "lock"):
            pass
    assert os.listdir(tmp_path) == ["lock"]
