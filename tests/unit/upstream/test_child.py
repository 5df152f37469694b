import asyncio
import sys
from pathlib import Path

import pytest

from lockgate.model import SendFailed
from lockgate.upstream.child import LINE_BYTES, TAIL_LINES, Child, Tail, child_environment
from lockgate.upstream.target import StdioTarget
from support.processes import alive, gone

CHILDREN = str(Path(__file__).parents[2] / "support" / "upstream_children.py")


def target(kind: str) -> StdioTarget:
    return StdioTarget((sys.executable, "-I", "-S", CHILDREN, kind))


def python(code: str, **rest: object) -> StdioTarget:
    return StdioTarget((sys.executable, "-I", "-S", "-c", code), **rest)  # type: ignore[arg-type]


async def pids(tail: Tail) -> list[int]:
    async with asyncio.timeout(10):
        while not (lines := tail.lines()):  # noqa: ASYNC110 - the child offers nothing to wait on
            await asyncio.sleep(0)
    return [int(pid) for pid in lines[0].split()[1:]]


def test_tail_keeps_the_last_lines_however_they_arrive() -> None:
    tail = Tail()
    text = b"".join(b"line %d\n" % n for n in range(200)) + b"no end"
    for at in range(0, len(text), 7):
        tail.feed(text[at : at + 7])
    lines = tail.lines()
    assert len(lines) == TAIL_LINES
    assert lines[-2:] == ("line 199", "no end")


def test_tail_is_bounded_within_a_line_and_survives_any_bytes() -> None:
    tail = Tail()
    for _ in range(100):
        tail.feed(b"\xff" * 5000)
    tail.feed(b"\nlast\n")
    assert [len(line) for line in tail.lines()] == [LINE_BYTES, 4]


def test_environment_is_what_is_configured_and_no_more() -> None:
    ours = {"PATH": "/bin", "HOME": "/h", "LANG": "C", "AWS_SECRET_ACCESS_KEY": "s"}
    assert child_environment({"TOKEN": "t", "HOME": "/other"}, ours) == {
        "PATH": "/bin", "HOME": "/other", "LANG": "C", "TOKEN": "t",
    }  # fmt: skip
    assert set(child_environment({}, {})) == {"PATH"}


async def test_the_process_sees_exactly_that_environment(tmp_path: Path) -> None:
    code = "import os; print(os.getcwd(), sorted(os.environ.items()))"
    cwd = str(tmp_path)
    child = await Child.start(python(code, env={"A": "1"}, cwd=cwd), grace=1, tail=Tail())
    said = (await child.stdout.readline()).decode()
    await child.stop()
    assert said.startswith(cwd)
    assert "('A', '1')" in said
    names = {pair.split("'")[1] for pair in said.split("(")[1:]}
    assert names <= {"A", "PATH", "HOME", "LANG", "LC_CTYPE"}  # Python itself may set the last.


async def test_stop_lets_a_willing_child_end_by_itself() -> None:
    child = await Child.start(target("family"), grace=10, tail=(tail := Tail()))
    first, second = await pids(tail)
    assert await child.stop() == 0
    assert not alive(first)
    assert not alive(second)


async def test_stop_ends_a_stubborn_child_and_its_grandchild() -> None:
    child = await Child.start(target("stubborn"), grace=0.1, tail=(tail := Tail()))
    first, second = await pids(tail)
    assert await child.stop() == 128 + 9
    assert not alive(first)
    assert not alive(second)


async def test_a_cancelled_stop_still_ends_everything() -> None:
    child = await Child.start(target("stubborn"), grace=0.1, tail=(tail := Tail()))
    family = await pids(tail)
    stopping = asyncio.create_task(child.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.wait({stopping})
    for pid in family:
        assert gone(pid)
    await child.stop()


async def test_stop_twice_at_once_and_again() -> None:
    child = await Child.start(target("modern"), grace=1, tail=Tail())
    assert list(await asyncio.gather(child.stop(), child.stop())) == [0, 0]
    assert await child.stop() == 0


async def test_what_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(SendFailed) as failed:
        await Child.start(python("", cwd=str(tmp_path / "none")), grace=1, tail=Tail())
    assert failed.value.reason == "upstream.unreachable"
    child = await Child.start(StdioTarget(("no-such-program",)), grace=1, tail=(tail := Tail()))
    assert await child.stop() == 127
    assert "not found" in tail.lines()[-1]


async def test_stderr_is_drained_while_nobody_looks() -> None:
    """A child that writes more than a pipe holds must not be stuck on it."""
    code = "import sys\nfor _ in range(20_000): print('x' * 99, file=sys.stderr)\nprint('done')"
    child = await Child.start(python(code), grace=1, tail=(tail := Tail()))
    async with asyncio.timeout(10):
        assert await child.stdout.readline() == b"done\n"
    await child.stop()
    assert len(tail.lines()) == TAIL_LINES
