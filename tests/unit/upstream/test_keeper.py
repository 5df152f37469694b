"""The keeper, as a real process. The gateway's part is played by this test or a small program."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.upstream import child, keeper
from support.processes import alive, gone, until

CHILDREN = str(Path(__file__).parents[2] / "support" / "upstream_children.py")


class Kept:
    """A command under the keeper, with this test holding the lifeline."""

    def __init__(self, *command: str, grace: float = 0.2) -> None:
        read, self._lifeline = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", child.KEEPER, str(read), str(grace), "--", *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            pass_fds=(read,), start_new_session=True,
        )  # fmt: skip
        os.close(read)

    def cut(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def out(self) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def pids(self) -> list[int]:
        """What the ``family`` children print about themselves: own pid, grandchild's pid."""
        assert self.process.stderr is not None
        word, *pids = self.process.stderr.readline().split()
        assert word == b"pids"
        return [int(pid) for pid in pids]

    def end(self) -> int:
        self.cut()
        status = self.process.wait(10)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return status


@pytest.fixture
def keep() -> Iterator[type[Kept]]:
    made: list[Kept] = []

    class Tracked(Kept):
        def __init__(self, *command: str, grace: float = 0.2) -> None:
            super().__init__(*command, grace=grace)
            made.append(self)

    yield Tracked
    for kept in made:
        kept.end()


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", code)


def kind(name: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", CHILDREN, name)


def test_exits_with_the_status_of_its_child(keep: type[Kept]) -> None:
    assert keep(*python("raise SystemExit(7)")).process.wait(10) == 7


def test_a_signal_is_reported_as_a_shell_does(keep: type[Kept]) -> None:
    kept = keep(*python("import os; os.kill(os.getpid(), 9)"))
    assert kept.process.wait(10) == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("command", "status"), [("no-such-program", keeper.NOT_FOUND), ("/etc", keeper.CANNOT_RUN)]
)
def test_a_command_that_cannot_start(keep: type[Kept], command: str, status: int) -> None:
    kept = keep(command)
    assert kept.process.wait(10) == status
    assert kept.process.stderr
    assert command.encode() in kept.process.stderr.read()


def test_streams_pass_straight_through(keep: type[Kept]) -> None:
    kept = keep(*python("import sys; print(sys.stdin.readline().upper(), end='')"))
    assert kept.process.stdin
    kept.process.stdin.write(b"hello\n")
    kept.process.stdin.flush()
    assert kept.out() == b"HELLO\n"
    assert kept.out() == b"", "the keeper must not hold the child's output open"


def test_the_child_inherits_no_other_descriptor(keep: type[Kept]) -> None:
    kept = keep(*python("import os; print(sorted(map(int, os.listdir('/proc/self/fd'))))"))
    assert kept.out() == b"[0, 1, 2, 3]\n"  # 3 is the listing itself.


def test_the_child_ignores_no_signal(keep: type[Kept]) -> None:
    """Python ignores SIGPIPE, the keeper more, and a shell has what it starts in the background
    ignore SIGQUIT; a program must not inherit that."""
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    try:
        ignored = keep("grep", "SigIgn", "/proc/self/status").out()
    finally:
        signal.signal(signal.SIGQUIT, before)
    ours = (1 << 31) - 1  # 32 and 33 belong to the C library
    assert int(ignored.split()[1], 16) & ours == 0


def test_the_end_of_the_lifeline_ends_the_child(keep: type[Kept]) -> None:
    kept = keep(*kind("family"))
    pids = kept.pids()
    assert all(map(alive, pids))
    kept.cut()
    assert kept.process.wait(10) == 128 + signal.SIGTERM
    assert not any(map(alive, pids))


def test_what_ignores_sigterm_is_killed(keep: type[Kept]) -> None:
    kept = keep(*kind("stubborn"))
    pids = kept.pids()
    kept.cut()
    assert kept.process.wait(10) == 128 + signal.SIGKILL
    assert not any(map(alive, pids))


def test_sigterm_at_the_keeper_ends_everything(keep: type[Kept]) -> None:
    kept = keep(*kind("family"))
    pids = kept.pids()
    kept.process.send_signal(signal.SIGTERM)
    kept.process.wait(10)
    assert not any(map(alive, pids))


def test_what_the_child_leaves_behind_is_swept(keep: type[Kept]) -> None:
    """The child ends by itself; its grandchild, in another session, must not stay."""
    kept = keep(*kind("family"))
    first, second = kept.pids()
    assert kept.process.stdin
    kept.process.stdin.close()
    assert kept.process.wait(10) == 0
    assert not alive(first)
    assert not alive(second)


def test_the_child_dies_with_the_keeper(keep: type[Kept]) -> None:
    kept = keep(*kind("modern"))
    children = f"/proc/{kept.process.pid}/task/{kept.process.pid}/children"
    until(lambda: bool(Path(children).read_text()))
    (first,) = map(int, Path(children).read_text().split())
    kept.process.kill()
    assert gone(first)


def test_kill_9_of_the_gateway_leaves_nobody() -> None:
    """A small gateway starts a child whose grandchild left the session, and is killed."""
    gateway = f"""
import os, subprocess, sys
read, write = os.pipe()
keeper = [sys.executable, "-I", "-S", {child.KEEPER!r}, str(read), "0.2", "--"]
kept = subprocess.Popen(
    keeper + [sys.executable, "-I", "-S", {CHILDREN!r}, "stubborn"], stdin=subprocess.PIPE,
    stderr=subprocess.PIPE, pass_fds=(read,), start_new_session=True)
print(kept.pid, kept.stderr.readline().decode(), flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", gateway], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdout
    assert parent.stdin
    kept, _, *family = parent.stdout.readline().split()
    pids = [int(kept), *map(int, family)]
    assert len(pids) == 3
    assert all(map(alive, pids))
    parent.kill()
    parent.wait(10)
    parent.stdout.close()
    parent.stdin.close()
    for pid in pids:
        assert gone(pid), pid


def test_children_are_found_without_kernel_support() -> None:
    """CONFIG_PROC_CHILDREN is not everywhere; the scan over /proc finds the same."""
    with subprocess.Popen(python("input()"), stdin=subprocess.PIPE) as process:
        assert process.pid in keeper._children_by_scan(os.getpid())
        assert process.pid not in keeper._children_by_scan(1)
        assert set(keeper._children()) <= set(keeper._children_by_scan(os.getpid()))
        process.kill()


def test_wrong_use_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    assert keeper.main(["3", "1", "--"]) == 64
    assert "usage" in capfd.readouterr().err
