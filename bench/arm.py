"""The shape of all that is measured: start it, ask it, end it, and see whether it cheated."""

import http.client
import select
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec
import orjson

from bench import processes
from bench.load import Measured, Plan
from bench.messages import LEGACY, Dialect, fault, headers, request

POLL_MS = 5


class Target(msgspec.Struct, frozen=True):
    """Where an arm is asked."""

    port: int
    paths: tuple[str, ...]
    tools: tuple[str, ...]
    headers: Mapping[str, str] = {}
    dialect: Dialect = "modern"
    watched: int = 0
    """Root of the process tree whose CPU and memory count."""
    began: float = 0.0
    """``time.perf_counter`` when its process was started."""


class Failed(Exception):
    """A run that answered wrongly, skipped a control or did not start: its figures are void."""


class Arm(Protocol):
    @property
    def name(self) -> str: ...

    def start(self, place: Path) -> Target:
        """Returns while it may still be starting. Raises ``Failed``. ``place``: an empty folder."""
        ...

    def stop(self) -> None: ...

    def verify(self, sent: int) -> None:
        """After the end: that all ``sent`` calls met every control. Raises ``Failed``."""
        ...


def plan(target: Target, **said: object) -> Plan:
    """The load on ``target``; ``said``: other fields of ``Plan``."""
    whole = Plan(
        "127.0.0.1", target.port, target.paths, target.tools, target.headers, target.dialect,
        watched=target.watched,
    )  # fmt: skip
    return msgspec.structs.replace(whole, **said)


def measure(what: Plan, core: int, python: str) -> Measured:
    """Raises ``Failed`` for a wrong answer."""
    done = subprocess.run(
        ["taskset", "-c", str(core), python, "-m", "bench.load"],
        input=msgspec.json.encode(what), capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Failed(done.stderr.decode()[-2_000:])
    told = msgspec.json.decode(done.stdout, type=Measured)
    if told.wrong or not told.calls:
        raise Failed(f"{told.wrong} wrong answers of {told.sent}: {told.faults}")
    return told


def first_answer(target: Target, seconds: float) -> float:
    """Seconds from the start of the process to one call rightly answered. Raises ``Failed``."""
    await_port(target.port, seconds - (time.perf_counter() - target.began))
    link = http.client.HTTPConnection("127.0.0.1", target.port, timeout=seconds)
    path, tool = target.paths[0], target.tools[0]
    session = ""
    if target.dialect == "legacy":
        params = {"protocolVersion": LEGACY, "capabilities": {},
                  "clientInfo": {"name": "bench", "version": "1"}}  # fmt: skip
        said = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        link.request("POST", path, orjson.dumps(said), {**headers("", "legacy"), **target.headers})
        opened = link.getresponse()
        opened.read()
        session = opened.headers.get("mcp-session-id", "")
    ask = request(1, tool, 600, target.dialect)
    sent = {**headers(tool, target.dialect, session), **target.headers}
    link.request("POST", path, ask.body, sent)
    answer = link.getresponse()
    wrong = fault(ask, answer.status, answer.read())
    link.close()
    if wrong:
        raise Failed(f"the first answer is wrong: {wrong}")
    return time.perf_counter() - target.began


def free_port() -> int:
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return int(some.getsockname()[1])


def await_port(port: int, seconds: float) -> None:
    """Raises ``Failed`` where nothing listens in time."""
    ends, pause = time.monotonic() + seconds, select.poll()
    while time.monotonic() < ends:
        with socket.socket() as some:
            if some.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.poll(POLL_MS)
    raise Failed(f"nothing listens on {port}")


class FastUpstream:
    """The upstream of all arms, on the core of the load."""

    def __init__(self, python: str, core: int, tools: int = 1) -> None:
        self._python = python
        self._core = core
        self._tools = tools
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self, place: Path) -> None:
        self.port = free_port()
        command = [self._python, "-m", "bench.upstream", str(self.port), str(self._tools)]
        self._process = processes.start(command, self._core, place / "upstream.log")
        await_port(self.port, 10.0)

    def stop(self) -> None:
        if self._process is not None:
            processes.stop(self._process)
            self._process = None


class Direct:
    """No gateway at all: what is left is the upstream's and the load's own."""

    name = "direct"

    def __init__(self, fast: FastUpstream, tool: str, *, stream: bool = False) -> None:
        self._fast = fast
        self._tool = tool
        self._path = "/sse" if stream else "/json"

    def start(self, place: Path) -> Target:  # noqa: ARG002
        return Target(self._fast.port, (self._path,), (self._tool,), began=time.perf_counter())

    def stop(self) -> None:
        """The upstream goes on: it is everybody's."""

    def verify(self, sent: int) -> None:
        """There is no control."""
