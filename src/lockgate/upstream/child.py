"""One stdio upstream as a process, under its keeper."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from lockgate.model import SendFailed
from lockgate.upstream.target import StdioTarget

KEEPER = str(Path(__file__).with_name("keeper.py"))
INHERITED = ("PATH", "HOME", "LANG")
"""What a program needs to run at all. Nothing else of the gateway's environment reaches it."""
TAIL_LINES = 50
LINE_BYTES = 1000


class Tail:
    """The last lines an upstream wrote to stderr, for the operator's eyes only.

    Free text that may hold data: shown by ``lockgate doctor``, never put into an answer.
    """

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *whole, rest = (self._rest + data).split(b"\n")
        self._lines.extend(line[:LINE_BYTES].decode(errors="replace") for line in whole)
        self._rest = rest[:LINE_BYTES]

    def lines(self) -> tuple[str, ...]:
        rest = (self._rest.decode(errors="replace"),) if self._rest else ()
        return (*self._lines, *rest)[-TAIL_LINES:]


def child_environment(configured: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """Exactly what the upstream's process gets."""
    needed = {name: ours[name] for name in INHERITED if name in ours}
    return {"PATH": os.defpath, **needed, **configured}


class Child:
    """A running upstream. Ends by itself, by ``stop``, or with the gateway, and leaves nothing."""

    def __init__(self, process: Process, lifeline: int, grace: float, tail: Tail) -> None:
        # With three pipes asked for, asyncio gives three streams; its types cannot say so.
        self.stdin = cast("asyncio.StreamWriter", process.stdin)
        self.stdout = cast("asyncio.StreamReader", process.stdout)
        self._stderr = cast("asyncio.StreamReader", process.stderr)
        self._process = process
        self._lifeline: int | None = lifeline
        self._grace = grace
        self._tail = tail
        self._draining = asyncio.create_task(self._drain())

    @classmethod
    async def start(cls, target: StdioTarget, *, grace: float, tail: Tail) -> "Child":
        """Raises ``SendFailed("upstream.unreachable")`` if the keeper cannot be started; that the
        command itself cannot be is seen by its early end."""
        read, write = os.pipe()
        keeper = (sys.executable, "-I", "-S", KEEPER, str(read), str(grace), "--")
        try:
            process = await asyncio.create_subprocess_exec(
                *keeper,
                *target.command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                pass_fds=(read,),
                start_new_session=True,
                cwd=target.cwd,
                env=child_environment(target.env, os.environ),
            )
        except (OSError, ValueError) as failure:
            os.close(write)
            raise SendFailed("upstream.unreachable", f"cannot start: {failure}") from None
        except asyncio.CancelledError:
            os.close(write)
            raise
        finally:
            os.close(read)
        return cls(process, write, grace, tail)

    async def wait(self) -> int:
        """Exit status, when it and all its descendants are gone."""
        return await self._process.wait()

    async def stop(self) -> int:
        """Close stdin, wait, then cut the lifeline: SIGTERM, a while, SIGKILL (MCP 2025-11-25,
        "Lifecycle", Shutdown). Returns the exit status."""
        self.stdin.close()
        try:
            async with asyncio.timeout(self._grace):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            # Also when we are cancelled: a closed lifeline is enough to end everything.
            self._cut()
        status = await self._process.wait()
        await self._draining
        return status

    def _cut(self) -> None:
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    async def _drain(self) -> None:
        while data := await self._stderr.read(4096):
            self._tail.feed(data)
