"""Sits where a worker would: ``fake_worker.py HOW FOLDER --seat JSON``. Standard library only.

Writes what happens to it to a file of its place in FOLDER. HOW: ``good``; ``broken`` cannot start;
``late`` holds up the end of all until a file named ``go`` is there; ``deaf`` ignores SIGTERM.
"""

import json
import os
import select
import signal
import socket
import sys
from pathlib import Path


def main(how: str, folder: Path, seat: dict[str, int]) -> int:
    book = os.open(folder / str(seat["index"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(word: str) -> None:
        os.write(book, word.encode() + b"\n")

    note(f"start {os.getpid()}")
    if how == "broken":
        return 3
    line = socket.socket(fileno=seat["line"])
    wake, signalled = socket.socketpair()
    signalled.setblocking(False)
    signal.set_wakeup_fd(signalled.fileno())
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    line.send(b"ready\n")
    while line not in select.select([line, wake], [], [])[0]:
        for told in wake.recv(100):
            note(signal.Signals(told).name)
            if told == signal.SIGTERM and how != "deaf":
                _drain(how, folder)
                line.send(b"drained\n")
    note("end" if line.recv(100) else "alone")
    return 0


def _drain(how: str, folder: Path) -> None:
    while how == "late" and not (folder / "go").exists():
        select.select([], [], [], 0.02)


if __name__ == "__main__":
    how, folder, _, seat = sys.argv[1:]
    sys.exit(main(how, Path(folder), json.loads(seat)))
