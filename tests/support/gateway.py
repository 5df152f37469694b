"""A real ``lockgate serve``, in a process group and a folder of its own.

    with Gateway(tmp_path, {"echo": child("modern")}) as gate: ...
    async with Gateway(...) as gate: ...

However the block is left, the process group ends, and that its upstreams are gone is asserted.
"""

import asyncio
import json
import os
import secrets
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from lockgate.app.stores import open_stores
from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.keys import KeyOrder, Keys
from support.processes import alive, gone, until

ROOT = Path(__file__).parents[2]
CHILDREN = str(ROOT / "tests" / "support" / "upstream_children.py")
PERMIT_ALL = '@id("everything")\npermit (principal, action, resource);\n'
START_SECONDS = 60.0
"""Cold imports on a busy machine."""


def child(kind: str, **settings: Any) -> dict[str, Any]:
    """One of ``upstream_children.KINDS`` as an upstream of ``lockgate.yaml``."""
    return python(CHILDREN, kind, **settings)


def python(program: str, *args: str, **settings: Any) -> dict[str, Any]:
    """A Python program that starts fast: standard library only."""
    return {"command": sys.executable, "args": ["-I", "-S", program, *args], **settings}


class Row(msgspec.Struct, frozen=True):
    """One journal row as stored."""

    seq: int
    call: str
    kind: str
    effect: str
    reason: str
    method: str
    upstream: str
    target: str
    header: Any
    slots: Mapping[str, Any]

    @property
    def who(self) -> str:
        return str(self.slots.get("actor", {}).get("subject", ""))


class Gateway:
    """``settings`` join ``lockgate.yaml`` at its top, beside ``listen`` and ``upstreams``."""

    def __init__(
        self,
        folder: Path,
        upstreams: Mapping[str, Any] | None = None,
        policy: str = PERMIT_ALL,
        **settings: Any,
    ) -> None:
        self.folder = folder
        self.config = folder / "lockgate.yaml"
        self.base = ""
        self.environment: dict[str, str] = {}
        """Variables of the gateway's own, beside those of the tests."""
        self._keys: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: dict[int, int] = {}
        """When each process began that was ever seen below it: ids are used again."""
        self.settings: dict[str, Any] = {
            "listen": {"port": 0},
            "upstreams": dict(upstreams or {}),
            **settings,
        }
        folder.mkdir(parents=True, exist_ok=True)
        self.write_policy(policy)
        self.write_config()

    # Files.

    def write_config(self, **changes: Any) -> None:
        self.settings |= changes
        _replace(self.config, json.dumps(self.settings, indent=1))

    def write_policy(self, text: str) -> None:
        place = self.folder / "policies"
        place.mkdir(exist_ok=True)
        _replace(place / "test.cedar", text)

    def key(self, name: str, *roles: str) -> str:
        """The personal key of ``name``, made on first use. Best before the gateway starts: a
        running one notices within half a second."""
        if name not in self._keys:
            self._keys[name] = self._make_key(name, roles)
        return self._keys[name]

    def key_file(self, name: str) -> Path:
        place = self.folder / f"{name}.key"
        place.write_text(self.key(name) + "\n")
        place.chmod(0o600)
        return place

    def _make_key(self, name: str, roles: tuple[str, ...]) -> str:
        stores = open_stores(self.folder / "data", str(self.settings.get("database", "")))
        try:
            acting = Acting(
                Actor("test"), stores.events, lambda: time.time_ns() // 1_000_000,
                secrets.token_bytes,
            )  # fmt: skip
            service = Keys(stores.keys, acting, stores.secrets.pepper())
            return service.create(KeyOrder("personal", name, 9, roles=roles)).text
        finally:
            stores.engine.dispose()

    def cli(self, *arguments: str) -> str:
        """What ``lockgate ARGUMENTS`` prints. Raises ``AssertionError`` where it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "lockgate.app.main", "-c", str(self.config), *arguments],
            capture_output=True, text=True, env=_environment(), cwd=self.folder, timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    @asynccontextmanager
    async def shim(
        self, who: str, path: str = "/mcp"
    ) -> AsyncIterator[tuple[asyncio.StreamWriter, asyncio.StreamReader]]:
        """``lockgate stdio`` under the key of ``who``: its stdin and stdout."""
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lockgate.app.main", "stdio", "--url", self.base + path,
            "--key-file", str(self.key_file(who)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(),
        )  # fmt: skip
        assert running.stdin is not None
        assert running.stdout is not None
        try:
            yield running.stdin, running.stdout
        finally:
            running.stdin.close()
            async with asyncio.timeout(20):
                await running.wait()

    # The process.

    @property
    def url(self) -> str:
        """The endpoint over all upstreams."""
        return f"{self.base}/mcp"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """Everything it wrote to stderr, over all its starts."""
        place = self.folder / "stderr.log"
        return place.read_text() if place.exists() else ""

    def start(self) -> "Gateway":
        """Returns when it answers. Raises ``AssertionError`` with its stderr when it does not."""
        with (self.folder / "stderr.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lockgate.app.main", "-c", str(self.config), "serve"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                start_new_session=True, env=_environment() | self.environment, cwd=self.folder,
            )  # fmt: skip
        assert self._process.stdout is not None
        line = _line_of(self._process.stdout.fileno(), START_SECONDS)
        if "open at" not in line:
            self.end()
            raise AssertionError(f"the gateway did not start: {line}\n{self.log}")
        self.base = line.split("open at ")[1].split("/mcp")[0]
        return self

    def children(self) -> set[int]:
        """Everything that lives and descends from it; remembered for ``orphans``."""
        self._see(_descendants(self.pid))
        return {pid for pid in self._same() if alive(pid)}

    def orphans(self, seconds: float = 10.0) -> set[int]:
        """What is left of the children seen so far, and of any that mention this folder."""
        self._see(set(_mentioning(str(self.folder))) - {os.getpid()})
        left = {pid for pid in self._same() if pid != self.pid and not gone(pid, seconds)}
        return {pid for pid in self._same() if pid in left and alive(pid)}

    def _see(self, pids: Iterable[int]) -> None:
        self._seen |= {pid: began for pid in pids if (began := _began(pid))}

    def _same(self) -> set[int]:
        """Those that were seen, without whatever has come by the id of one that ended."""
        return {pid for pid, began in self._seen.items() if _began(pid) == began}

    def signal(self, number: signal.Signals) -> None:
        self.children()
        os.kill(self.pid, number)

    def wait(self, seconds: float = 30.0) -> int:
        """Its exit code."""
        assert self._process is not None
        code = self._process.wait(seconds)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def kill9(self) -> None:
        """As the power failing: only the gateway itself is hit."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self, seconds: float = 30.0) -> int:
        """SIGTERM, and the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def end(self) -> None:
        """Whatever state it is in: nothing of it is left."""
        if self._process is None:
            return
        if self.running:
            self.children()
            os.kill(self.pid, signal.SIGTERM)
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
        self.wait()
        left = self.orphans()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self._process = None
        assert not left, f"left behind: {left}"

    def __enter__(self) -> "Gateway":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.end()

    async def __aenter__(self) -> "Gateway":
        return self.start()

    async def __aexit__(self, *error: Any) -> None:
        self.end()

    # The journal.

    def journal(self) -> list[Row]:
        """Every row that is durable now, oldest first."""
        place = f"file:{self.folder / 'data' / 'lockgate.db'}?mode=ro"
        with closing(sqlite3.connect(place, uri=True)) as db:
            db.execute("BEGIN")  # both queries see one moment
            slots: dict[str, dict[str, Any]] = {}
            for event, slot, data in db.execute("SELECT event_id, slot, data FROM slot"):
                slots.setdefault(event, {})[slot] = json.loads(data)
            columns = ("seq", "call", "kind", "effect", "reason", "method", "upstream", "target")
            found = db.execute(f"SELECT id, header, {', '.join(columns)} FROM event ORDER BY seq")  # noqa: S608
            rows: list[Row] = []
            for id, header, *rest in found:
                named = dict(zip(columns, rest, strict=True))
                rows.append(Row(**named, header=json.loads(header), slots=slots.get(id, {})))
            return rows

    def rows(self, **wanted: str) -> list[Row]:
        """Rows whose columns are as said."""
        return [r for r in self.journal() if all(getattr(r, k) == v for k, v in wanted.items())]

    @contextmanager
    def locked_database(self) -> Iterator[None]:
        """Nobody else can write the journal meanwhile."""
        with closing(sqlite3.connect(self.folder / "data" / "lockgate.db")) as db:
            db.execute("BEGIN IMMEDIATE")
            yield
            db.rollback()

    async def awaited(self, some: Callable[["Gateway"], Any], seconds: float = 15.0) -> Any:
        """What ``some`` finds, once it finds something: outcomes are not awaited by their call."""
        return await asyncio.to_thread(self.found, some, seconds)

    def found(self, some: Callable[["Gateway"], Any], seconds: float = 15.0) -> Any:
        """As ``awaited``, for tests that have no loop."""
        last: list[Any] = []

        def look() -> bool:
            last[:] = [some(self)]
            return bool(last[0])

        until(look, seconds)
        return last[0]

    def peak_memory(self) -> int:
        """Largest resident size so far, in bytes."""
        return _memory(self.pid, "VmHWM")

    def memory(self) -> int:
        return _memory(self.pid, "VmRSS")


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LOCKGATE_", "PYTEST_"))}
    paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _replace(place: Path, text: str) -> None:
    """In one step, as editors do: nobody reads half of it."""
    new = place.with_suffix(".new")
    new.write_text(text)
    new.replace(place)


def _line_of(stream: int, seconds: float) -> str:
    ends, said = time.monotonic() + seconds, b""
    while not said.endswith(b"\n"):
        left = ends - time.monotonic()
        if left <= 0 or not select.select([stream], [], [], left)[0]:
            return f"{said.decode()} (nothing more within {seconds:g} s)"
        byte = os.read(stream, 1)
        if not byte:
            return f"{said.decode()} (it ended)"
        said += byte
    return said.decode()


def _processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _began(pid: int) -> int:
    """In clock ticks since boot (proc(5), ``starttime``); 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except (OSError, IndexError):
        return 0


def _descendants(root: int) -> set[int]:
    parents = {pid: _parent(pid) for pid in _processes()}
    found = {root}
    while more := {p for p, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {root}


def _mentioning(text: str) -> Iterator[int]:
    for pid in _processes():
        try:
            said = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if text.encode() in said and alive(pid):
            yield pid


def _memory(pid: int, which: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(which):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)
