"""Stands over the workers of one gateway: starts them, starts them again, ends them in order.

A program, not a part of the gateway: run as ``python -I -S workers.py PLAN`` it costs next to no
memory and cannot fail with what it stands over, so it imports nothing but the standard library.

Each worker holds one end of a socket, its *line*. It says ``ready`` there when it answers, and
``drained`` when it was told to stop and nothing runs in it any more; once all have said that, each
is told ``end``. However this process ends, the kernel closes the lines, and the workers end too.
"""

import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

FIRST_REST = 0.5
LONGEST_REST = 30.0
"""Seconds before a worker that crashed is started again: twice as many each time."""
STEADY = 60.0
"""Who ran for so long starts anew with the shortest rest."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Worker:
    """One place among the workers, and the process that holds it now."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.process: subprocess.Popen[bytes] | None = None
        self.line: socket.socket | None = None
        self.ready = False
        self.drained = False
        self.since = 0.0
        self.again: float | None = None
        """When it is started again."""
        self._failures = 0
        self._heard = b""

    @property
    def running(self) -> bool:
        return self.process is not None

    def start(self, plan: Mapping[str, Any]) -> None:
        ours, theirs = socket.socketpair()
        seat = {
            "index": self.index, "count": plan["workers"], "listener": plan["listener"],
            "line": theirs.fileno(), "folder": plan["folder"],
        }  # fmt: skip
        with theirs:
            self.process = subprocess.Popen(
                [*plan["command"], "--seat", json.dumps(seat)],
                pass_fds=(plan["listener"], plan["lock"], theirs.fileno()),
                stdin=subprocess.DEVNULL,
            )
        if self.line is not None:
            self.line.close()
        ours.setblocking(False)
        self.line, self.since, self.again = ours, time.monotonic(), None
        self.ready = self.drained = False
        self._heard = b""

    def listen(self) -> bool:
        """Take in what its line says; False where it will say no more."""
        try:
            said = self.line.recv(4096) if self.line else b""
        except BlockingIOError:
            return True
        except OSError:
            said = b""
        self._heard += said
        self.ready = self.ready or b"ready\n" in self._heard
        self.drained = self.drained or b"drained\n" in self._heard
        return said != b""

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def tell_end(self) -> None:
        if self.line is not None:
            try:
                self.line.send(b"end\n")
            except OSError:
                return

    def ended(self) -> int | None:
        """Its exit status, once, where it has ended."""
        code = self.process.poll() if self.process is not None else None
        if code is None:
            return None
        self.listen()
        self.process = None
        return code

    def rest(self) -> float:
        """It crashed: seconds until it is started again."""
        now = time.monotonic()
        self._failures = 1 if now - self.since >= STEADY else self._failures + 1
        seconds = min(LONGEST_REST, FIRST_REST * 2.0 ** min(self._failures - 1, 30))
        self.again = now + seconds
        return seconds


class Supervisor:
    """``plan``: ``command`` of a worker; how many ``workers``; descriptors of the ``listener`` and
    the ``lock`` on ``folder``; ``text`` to say when all answer; ``patience`` in seconds with those
    that are told to stop."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self._plan = plan
        self._workers = [Worker(index) for index in range(plan["workers"])]
        self._open = False
        self._stopping = False
        self._told_end = False
        self._kill_at = 0.0
        self._code = 0
        self._selector = selectors.DefaultSelector()
        self._wake, self._signalled = socket.socketpair()

    def run(self) -> int:
        """Until all have ended. The exit code."""
        self._catch_signals()
        # The first alone: what keeps it from starting is said once, and it makes the database.
        self._start(self._workers[0])
        while any(w.running for w in self._workers) or not self._stopping:
            for key, _ in self._selector.select(self._patience()):
                if key.data is None:
                    self._obey(self._wake.recv(4096))
                elif not key.data.listen():
                    self._selector.unregister(key.fileobj)
            self._look()
        shutil.rmtree(self._plan["folder"], ignore_errors=True)
        return self._code

    def _catch_signals(self) -> None:
        for end in (self._wake, self._signalled):
            end.setblocking(False)
        signal.set_wakeup_fd(self._signalled.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)
        self._selector.register(self._wake, selectors.EVENT_READ)

    def _start(self, worker: Worker) -> None:
        worker.start(self._plan)
        self._selector.register(worker.line, selectors.EVENT_READ, worker)  # type: ignore[arg-type]

    def _forget(self, line: socket.socket | None) -> None:
        known = [key.fileobj for key in self._selector.get_map().values() if key.fileobj is line]
        for fileobj in known:
            self._selector.unregister(fileobj)

    def _patience(self) -> float | None:
        """Seconds until something is due; None: only when something happens."""
        due = [w.again for w in self._workers if w.again is not None]
        if self._stopping:
            due.append(self._kill_at)
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _obey(self, signals: bytes) -> None:
        for number in signals:
            if number == signal.SIGHUP:
                self._tell_all(number)
            elif number in (signal.SIGTERM, signal.SIGINT):
                self._stop()

    def _look(self) -> None:
        """What has changed since the last look, and what follows from it."""
        for worker in self._workers:
            line = worker.line
            code = worker.ended()
            if code is not None:
                self._forget(line)
                self._lost(worker, code)
        self._go_on_opening()
        now = time.monotonic()
        for worker in self._workers:
            if worker.again is not None and worker.again <= now:
                self._start(worker)
        self._go_on_stopping(now)

    def _go_on_opening(self) -> None:
        if self._open or self._stopping or not self._workers[0].ready:
            return
        for worker in self._workers[1:]:
            if not worker.running:
                self._start(worker)
        if all(worker.ready for worker in self._workers):
            self._open = True
            sys.stdout.write(self._plan["text"] + "\n")
            sys.stdout.flush()

    def _lost(self, worker: Worker, code: int) -> None:
        if self._stopping:
            if code and worker.ready:
                self._code = self._code or 1
                _say(f"worker {worker.index} ended with status {code}")
        elif self._open:
            seconds = worker.rest()
            _say(f"worker {worker.index} ended with status {code}; "
                 f"starting it again in {seconds:g} s")  # fmt: skip
        else:
            self._code = code if code > 0 else 1
            self._stop()

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        self._kill_at = time.monotonic() + self._plan["patience"]
        os.close(self._plan["listener"])
        for worker in self._workers:
            worker.again = None
        # Never SIGINT: a terminal's Ctrl-C has reached them already, and twice means at once.
        self._tell_all(signal.SIGTERM)

    def _go_on_stopping(self, now: float) -> None:
        if not self._stopping:
            return
        left = list(self._running())
        if not self._told_end and all(worker.drained for worker in left):
            self._told_end = True
            for worker in left:
                worker.tell_end()
        if now >= self._kill_at:
            self._kill_at = now + self._plan["patience"]
            self._tell_all(signal.SIGKILL)

    def _running(self) -> Iterator[Worker]:
        return (worker for worker in self._workers if worker.running)

    def _tell_all(self, number: int) -> None:
        for worker in self._running():
            worker.signal(number)


def _say(text: str) -> None:
    sys.stderr.write(f"lockgate: {text}\n")
    sys.stderr.flush()


def main(arguments: list[str]) -> int:
    return Supervisor(json.loads(arguments[0])).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
