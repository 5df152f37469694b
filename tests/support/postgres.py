"""A real PostgreSQL server for the tests of one process, in a directory of its own.

It listens on a Unix socket only, so it needs no port. It ends when the pipe that a small shell
holds is closed: with the tests, however they end.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

from lockgate.store.migrate import upgrade
from lockgate.store.postgresql import open_postgresql
from support.processes import until

_OUTLIVES_NOBODY = """
"$@" </dev/null &
child=$!
trap '' TERM INT
read -r _
kill -INT $child
wait $child
"""
# Nothing here outlives the machine, so nothing waits for the disk.
_FAST = ("fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=100")
_TEMPLATE = "made"


class Server:
    """``url`` names one database of it."""

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes]") -> None:
        self.folder = folder
        self.process = process
        self._numbers = count(1)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError((self.folder / "log").read_text())
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    @contextmanager
    def database(self, *, made: bool = True) -> Iterator[str]:
        """The URL of a fresh database: with the newest schema, or empty."""
        name = f"t{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE if made else 'template0'}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def alter(self, url: str, change: str) -> None:
        """Change the settings of the database at ``url`` for whoever connects from now on."""
        name = url.partition("@/")[2].partition("?")[0]
        self.execute(f"ALTER DATABASE {name} {change}")

    def drop_connections(self) -> None:
        """Everybody's, as a restart would."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


@contextmanager
def running_server() -> Iterator[Server]:
    """Initialised and started as a user other than root, since PostgreSQL refuses root."""
    folder = Path(tempfile.mkdtemp(prefix="lockgate-pg-"))
    try:
        user = _user_of(folder)
        data = folder / "data"
        subprocess.run(
            [_program("initdb"), "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C",
             "--auth=trust", "--no-sync", "--no-instructions"],
            user=user, check=True, capture_output=True, cwd=folder,
        )  # fmt: skip
        with _started(folder, data, user) as server:
            until(server.answers, 30)
            server.execute(f"CREATE DATABASE {_TEMPLATE}")
            open_postgresql(server.url(_TEMPLATE), upgrade).dispose()
            yield server
    finally:
        shutil.rmtree(folder)


@contextmanager
def _started(folder: Path, data: Path, user: int | None) -> Iterator[Server]:
    settings = [part for one in _FAST for part in ("-c", one)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", _OUTLIVES_NOBODY, "sh", _program("postgres"), "-D", str(data), "-k",
             str(folder), "-c", "listen_addresses=", *settings],
            user=user, cwd=folder, stdin=subprocess.PIPE, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield Server(folder, process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _program(name: str) -> str:
    """Debian keeps them off the PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(places[-1]) if places else None)
    if found is None:
        raise RuntimeError(f"{name} is missing: run scripts/setup_postgres.sh")
    return found


def _user_of(folder: Path) -> int | None:
    """Whom it runs as, who owns ``folder`` then; None: as we do."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("postgres").pw_uid
    os.chown(folder, user, -1)
    return user
