"""Stands between the gateway and one stdio upstream, and leaves nothing behind.

A program, not a part of the gateway: run as ``python -I -S keeper.py LIFELINE GRACE -- COMMAND...``
it must start in milliseconds, so it imports nothing but the standard library.

``LIFELINE`` is the reading end of a pipe whose other end only the gateway holds. However the
gateway ends, also by SIGKILL, the kernel closes that end and the keeper reads end-of-file. It then
sends SIGTERM to the whole process group, waits ``GRACE`` seconds, and kills every descendant.

On Linux the keeper is a child subreaper (prctl(2), PR_SET_CHILD_SUBREAPER): a grandchild that left
the group with setsid(2) becomes the keeper's own child when its parent ends, so it is found and
killed too. PR_SET_PDEATHSIG alone would miss it. Elsewhere only the process group is ended.

The upstream's standard streams are the gateway's pipes themselves; no byte passes through here.
Exit status: the upstream's own; 128 + n if signal n ended it; 126 or 127 if it could not start.
"""

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CANNOT_RUN = 126
NOT_FOUND = 127
GIVE_UP = 10.0
"""Seconds after which descendants that survive SIGKILL (another user's, or stuck in the kernel) are
left to the system."""


def _linux_prctl() -> Callable[[int, int], int]:
    if sys.platform != "linux":
        return lambda _option, _value: 0
    call = ctypes.CDLL(None, use_errno=True).prctl
    return lambda option, value: int(call(option, value, 0, 0, 0))


def _exec(command: list[str], prctl: Callable[[int, int], int], parent: int) -> None:
    """In the child: become a session of its own with default signals and no stray descriptors."""
    os.setsid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(CANNOT_RUN)  # The keeper ended before PDEATHSIG was armed.
    # Also what we were started with: a shell has what it starts in the background ignore some.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    os.closerange(3, 1 << 20)
    try:
        os.execvp(command[0], command)  # noqa: S606 - starting what was configured is the job
    except FileNotFoundError:
        _complain(f"{command[0]}: not found")
        os._exit(NOT_FOUND)
    except OSError as failure:
        _complain(f"{command[0]}: {failure.strerror}")
        os._exit(CANNOT_RUN)


def _complain(text: str) -> None:
    os.write(2, f"lockgate keeper: {text}\n".encode())


class Watch:
    """Waits for whichever comes first: the lifeline's end, a request to stop, a dead child."""

    def __init__(self, lifeline: int) -> None:
        self.stopping = False
        self._lifeline = lifeline
        self._wake, write = os.pipe()
        os.set_blocking(write, False)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        self._poll = select.poll()
        self._poll.register(self._wake, select.POLLIN)
        self._poll.register(lifeline, select.POLLIN | select.POLLHUP)

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def wait(self, milliseconds: int | None) -> None:
        for fd, _ in self._poll.poll(milliseconds):
            if not os.read(fd, 512) and fd == self._lifeline:
                self.stopping = True
                self._poll.unregister(fd)


class Family:
    """The upstream's process and everything that came of it."""

    def __init__(self, first: int) -> None:
        self._first = first
        self.status: int | None = None
        """The upstream's own wait status, once it ended."""
        self.empty = False

    def reap(self) -> None:
        while not self.empty:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.empty = True
                return
            if pid == 0:
                return
            if pid == self._first:
                self.status = status

    def signal(self, number: signal.Signals) -> None:
        """The group, and our own children: those in the group, and those that were left to us."""
        _tell(os.killpg, self._first, number)
        for pid in _children():
            _tell(os.kill, pid, number)


def _tell(send: Callable[[int, int], None], to: int, number: signal.Signals) -> None:
    try:
        send(to, number)
    except (ProcessLookupError, PermissionError):
        return


def _children() -> list[int]:
    """Our direct children. Killing them hands us theirs, so that repeating it reaches everyone."""
    me = os.getpid()
    try:
        with open(f"/proc/{me}/task/{me}/children", "rb") as listed:
            return [int(pid) for pid in listed.read().split()]
    except OSError:
        return _children_by_scan(me)


def _children_by_scan(parent: int) -> list[int]:
    """For kernels without CONFIG_PROC_CHILDREN; nothing where there is no /proc (proc(5))."""
    found = []
    names = os.listdir("/proc") if os.path.isdir("/proc") else []
    for name in filter(str.isdigit, names):
        try:
            with open(f"/proc/{name}/stat", "rb") as stat:
                # The second field is the program's name in brackets and may hold anything.
                ppid = int(stat.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        if ppid == parent:
            found.append(int(name))
    return found


def _end(family: Family, watch: Watch, grace: float) -> None:
    """SIGTERM, ``grace`` seconds, then SIGKILL until nobody is left."""
    family.reap()
    if not family.empty:
        family.signal(signal.SIGTERM)
    ends = time.monotonic() + grace
    while not family.empty and time.monotonic() < ends:
        watch.wait(max(1, int((ends - time.monotonic()) * 1000)))
        family.reap()
    ends = time.monotonic() + GIVE_UP
    while not family.empty and time.monotonic() < ends:
        family.signal(signal.SIGKILL)
        watch.wait(5)
        family.reap()


def keep(lifeline: int, grace: float, command: list[str]) -> int:
    """Run ``command`` until it or the gateway ends; then end all of it. Returns the exit status."""
    os.set_inheritable(lifeline, False)
    prctl = _linux_prctl()
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    watch = Watch(lifeline)
    me = os.getpid()
    first = os.fork()
    if first == 0:
        _exec(command, prctl, me)
    # With our copies open, the gateway would never see the upstream close its end.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    family = Family(first)
    while family.status is None and not watch.stopping:
        watch.wait(None)
        family.reap()
    _end(family, watch, grace)
    if family.status is None:
        return 128 + signal.SIGKILL
    code = os.waitstatus_to_exitcode(family.status)
    return code if code >= 0 else 128 - code


def main(arguments: list[str]) -> int:
    lifeline, grace, dashes, *command = arguments
    if dashes != "--" or not command:
        _complain("usage: keeper.py LIFELINE GRACE -- COMMAND...")
        return 64
    return keep(int(lifeline), float(grace), command)


if __name__ == "__main__":
    # Nothing of ours needs an orderly interpreter shutdown, and the gateway is waiting.
    os._exit(main(sys.argv[1:]))
