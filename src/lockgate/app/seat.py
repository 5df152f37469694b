"""One worker among several of this host: where it sits, and its line to whoever stands over it."""

import asyncio
import fcntl
import json
import logging
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import NoReturn, Protocol, TypeAlias

import msgspec

from lockgate.app.settings import Settings

log = logging.getLogger("lockgate")

PROGRAM = str(Path(__file__).with_name("workers.py"))
SOCKET_PATH = 90
"""Bytes that the folder's path may have: a socket's may have 107 (unix(7), ``sun_path``)."""
PREFIX = "lockgate-"
MARGIN_SECONDS = 15.0
"""Beyond the time for running calls, for everything else that an orderly end takes."""
CROWDED_SECONDS = 1.0
GREETINGS = 512
"""Connections that are not made yet (TLS handshakes) at the same time; more wait to be accepted."""


class Seat(msgspec.Struct, frozen=True):
    """Given to a worker by ``workers.py``, as JSON on its command line."""

    index: int
    count: int
    listener: int
    """Descriptor of the socket that all workers accept from."""
    line: int
    """Descriptor of its line: see ``workers.py``."""
    folder: str
    """Where the workers' own sockets are."""

    def listening(self) -> socket.socket:
        listener = socket.socket(fileno=self.listener)
        listener.setblocking(False)
        return listener


def read_seat(text: str) -> Seat:
    return msgspec.json.decode(text, type=Seat)


class Serves(Protocol):
    """What is needed of the server."""

    ready: Callable[[], None]
    shared: bool
    should_exit: bool


class Line:
    """To whoever stands over the workers. When that one is gone, the server is stopped."""

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self._socket = socket.socket(fileno=seat.line)
        self._socket.setblocking(False)
        self._server: Serves | None = None
        self._over = False
        self._end = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def attach(self, server: Serves) -> None:
        server.shared = True
        server.ready = lambda: self._say(b"ready\n")
        server.should_exit = self._over
        self._server = server

    async def drained(self) -> None:
        """Nothing runs here any more. Returns when that is so everywhere."""
        self._say(b"drained\n")
        await self._end.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _say(self, word: bytes) -> None:
        try:
            self._socket.send(word)
        except OSError:
            self._gone()

    def _read(self) -> None:
        try:
            heard = self._socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            heard = b""
        if not heard:
            self._gone()
        elif b"end\n" in heard:
            self._end.set()

    def _gone(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        if not self._end.is_set():
            log.error("the process that stands over the workers is gone; ending too")
        self._end.set()
        self._over = True
        if self._server is not None:
            self._server.should_exit = True


Protocols: TypeAlias = Callable[[], asyncio.BaseProtocol]
Greeter: TypeAlias = Callable[[Protocols, socket.socket], Coroutine[None, None, None]]
"""Makes an accepted socket a connection, or closes it. Raises nothing."""


async def greet(protocol: Protocols, connection: socket.socket) -> None:
    try:
        await asyncio.get_running_loop().connect_accepted_socket(protocol, connection)
    except OSError:  # it has left again
        connection.close()


class Door:
    """Accepts from the socket that all workers share, one connection each time round the loop:
    whoever is busy takes fewer, and nobody takes all of a crowd."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Protocols,
        greeter: Greeter = greet,
        most: int = GREETINGS,
    ) -> None:
        """``most``: connections that are being greeted at the same time."""
        self._listener = listener
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._greeter = greeter
        self._most = most
        self._greeting: set[asyncio.Task[None]] = set()
        self._open = True
        self._watch()

    def close(self) -> None:
        self._open = False
        self._loop.remove_reader(self._listener)

    def _watch(self) -> None:
        if self._open:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:  # too many descriptors: it would be told again at once
            log.error("cannot accept connections: %s", error.strerror)
            self._loop.remove_reader(self._listener)
            self._loop.call_later(CROWDED_SECONDS, self._watch)
            return
        connection.setblocking(False)
        greeting = self._loop.create_task(self._greeter(self._protocol, connection))
        self._greeting.add(greeting)
        greeting.add_done_callback(self._greeted)
        if len(self._greeting) >= self._most:
            self._loop.remove_reader(self._listener)

    def _greeted(self, greeting: asyncio.Task[None]) -> None:
        self._greeting.discard(greeting)
        if len(self._greeting) == self._most - 1:
            self._watch()


def stand_over(
    config: Path, settings: Settings, workers: int, listener: socket.socket, text: str,
    *, verbose: bool,
) -> NoReturn:  # fmt: skip
    """Become the process that stands over the workers. ``text``: said when all of them answer."""
    folder, lock = workers_folder(Path(settings.data_dir))
    command = [sys.executable, "-P", "-m", "lockgate.app.main", "-c", str(config), "serve"]
    plan = {
        "command": [*command, "--verbose"] if verbose else command,
        "workers": workers,
        "listener": listener.fileno(),
        "lock": lock,
        "folder": str(folder),
        "text": text,
        "patience": settings.limits.drain_seconds + MARGIN_SECONDS,
    }
    for descriptor in (listener.fileno(), lock):
        os.set_inheritable(descriptor, True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-I", "-S", PROGRAM, json.dumps(plan)])  # noqa: S606


def workers_folder(data_dir: Path) -> tuple[Path, int]:
    """A new private folder, and a lock on it that lives as long as anybody holds its descriptor.

    Folders whose holders are gone are cleared away. Raises ``OSError``.
    """
    place = data_dir.absolute() / "workers"
    if len(os.fsencode(place)) + 20 > SOCKET_PATH:
        place = Path(tempfile.gettempdir())
    else:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in place.glob(f"{PREFIX}*"):
        if old.lstat().st_uid == os.geteuid():
            _clear(old)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return folder, handle


def _clear(folder: Path) -> None:
    """Unless somebody holds its lock."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(handle)
