"""The program that stands over workers, over workers that do as they are told."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lockgate.app import workers
from support.processes import alive, gone, until

FAKE = str(Path(__file__).parents[2] / "support" / "fake_worker.py")
OPEN = "open at last"


class Stand:
    """The program with two workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.books = folder / "books"
        self.books.mkdir()
        (folder / "sockets").mkdir()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, how: str = "good", **plan: Any) -> "subprocess.Popen[bytes]":
        lock = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR)
        said = {
            "command": [sys.executable, "-I", "-S", FAKE, how, str(self.books)], "workers": 2,
            "listener": self.listener.fileno(), "lock": lock, "patience": 20,
            "folder": str(self.folder / "sockets"), "text": OPEN, **plan,
        }  # fmt: skip
        with (self.folder / "stderr").open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", workers.__file__, json.dumps(said)],
                pass_fds=(self.listener.fileno(), lock), stdout=subprocess.PIPE, stderr=errors,
                start_new_session=True,
            )  # fmt: skip
        os.close(lock)
        return self.process

    def opened(self, how: str = "good", **plan: Any) -> "subprocess.Popen[bytes]":
        process = self.start(how, **plan)
        assert process.stdout is not None
        assert process.stdout.readline().decode() == OPEN + "\n"
        return process

    def noted(self, index: int) -> list[str]:
        book = self.books / str(index)
        return book.read_text().splitlines() if book.exists() else []

    def pids(self, index: int) -> list[int]:
        return [int(word.split()[1]) for word in self.noted(index) if word.startswith("start")]

    @property
    def log(self) -> str:
        return (self.folder / "stderr").read_text()

    def end(self) -> None:
        self.listener.close()
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()
        for index in (0, 1):
            for pid in self.pids(index):
                if not gone(pid, 5):
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    yield made
    made.end()


def test_it_says_once_that_all_are_ready_and_ends_them_in_order(stand: Stand) -> None:
    process = stand.opened()
    assert [len(stand.pids(index)) for index in (0, 1)] == [1, 1]
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert process.stdout is not None
    assert process.stdout.read() == b""
    for index in (0, 1):
        assert stand.noted(index)[1:] == ["SIGTERM", "end"]
    assert not (stand.folder / "sockets").exists()


def test_no_one_ends_before_all_are_drained(stand: Stand) -> None:
    process = stand.opened("late")
    process.send_signal(signal.SIGINT)
    until(lambda: all("SIGTERM" in stand.noted(index) for index in (0, 1)))
    assert all(alive(stand.pids(index)[0]) for index in (0, 1))
    (stand.books / "go").touch()
    assert process.wait(10) == 0
    assert stand.noted(0)[-1] == stand.noted(1)[-1] == "end"


def test_a_changed_configuration_is_everybody_s(stand: Stand) -> None:
    stand.opened().send_signal(signal.SIGHUP)
    until(lambda: all("SIGHUP" in stand.noted(index) for index in (0, 1)))


def test_one_that_crashes_is_started_again_after_a_rest(stand: Stand) -> None:
    process = stand.opened()
    first, other = stand.pids(1)[0], stand.pids(0)[0]
    os.kill(first, signal.SIGKILL)
    until(lambda: len(stand.pids(1)) == 2)
    assert "worker 1 ended with status -9; starting it again in 0.5 s" in stand.log
    os.kill(stand.pids(1)[1], signal.SIGKILL)
    until(lambda: len(stand.pids(1)) == 3)
    assert "in 1 s" in stand.log
    assert stand.pids(0) == [other]
    assert alive(other)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_what_keeps_the_first_from_starting_keeps_all(stand: Stand) -> None:
    assert stand.start("broken").wait(10) == 3
    assert stand.pids(1) == []


def test_one_that_is_deaf_is_killed_in_the_end(stand: Stand) -> None:
    process = stand.opened("deaf", patience=0.3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 1
    assert not any(alive(stand.pids(index)[0]) for index in (0, 1))


def test_workers_notice_that_they_are_alone(stand: Stand) -> None:
    process = stand.opened()
    process.kill()
    process.wait()
    assert all(gone(stand.pids(index)[0]) for index in (0, 1))
    assert stand.noted(0)[-1] == stand.noted(1)[-1] == "alone"


def test_nobody_connects_to_what_is_ending(stand: Stand) -> None:
    process = stand.opened("late")
    address = stand.listener.getsockname()
    stand.listener.close()
    process.send_signal(signal.SIGTERM)
    until(lambda: all("SIGTERM" in stand.noted(index) for index in (0, 1)))
    (stand.books / "go").touch()
    assert process.wait(10) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
