"""The demo from its first line to its last: build, start, play, hand over, take down."""

import asyncio
import logging
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from lockgate.app.demo.command import Wish
from lockgate.app.demo.folder import Folder, fill, make_root
from lockgate.app.demo.handover import tell_how_to_try
from lockgate.app.demo.narration import Narrator, SceneResult, counted, listed
from lockgate.app.demo.scenes import SCENES, Scene, play_scenes
from lockgate.app.demo.stage import Stage, Started, open_stage
from lockgate.app.demo.upstreams import Found, find_upstreams
from lockgate.app.listening import listen
from lockgate.control_plane.cli.output import FINDINGS, refuse, say_json

Find = Callable[[Path], Found]
LOG = "gateway.log"
INTERRUPTED = 130
"""Exit code, as shells have it for SIGINT."""


class Report(msgspec.Struct, frozen=True):
    """What ``--json`` prints."""

    as_told: bool
    seconds: float
    url: str
    folder: str
    scenes: tuple[SceneResult, ...]
    upstreams: tuple[Started, ...]
    missing: dict[str, str]
    """Servers that did not take part, and what would make them."""


class Stop:
    """A person may end the demo at any time, and ``--serve`` waits for just that."""

    def __init__(self, task: "asyncio.Task[Any] | None") -> None:
        self._task = task
        self._held: asyncio.Event | None = None

    def ask(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)  # the second time it ends at once
        if self._held:
            self._held.set()
        elif self._task:
            self._task.cancel()

    async def asked(self) -> None:
        self._held = asyncio.Event()
        await self._held.wait()


def play(wish: Wish, scenes: Sequence[Scene] = SCENES, find: Find = find_upstreams) -> int:
    """Play the whole demo. Returns the exit code; raises ``Refused`` and ``StoreDown``."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    narrator = Narrator(sys.stdout, quiet=wish.as_json)
    root = make_root(wish.data)
    with _removed_after(root, keep=wish.data is not None) as keep, _logged_to(root / LOG):
        listener = _listen(wish.port)
        try:
            folder = fill(root, find(root), listener.getsockname()[1])
            report = asyncio.run(_play(wish, narrator, folder, listener, scenes))
        except (asyncio.CancelledError, KeyboardInterrupt):
            narrator.heading("Stopped.")
            return INTERRUPTED
        if not report.as_told:
            keep()
            narrator.sentence(f"Something did not go as told. Everything is kept in {root}; what "
                              f"the gateway logged is in {root / LOG}.")  # fmt: skip
    return 0 if report.as_told else FINDINGS


async def _play(
    wish: Wish, narrator: Narrator, folder: Folder, listener: socket.socket, scenes: Sequence[Scene]
) -> Report:
    began = time.monotonic()
    stop = Stop(asyncio.current_task())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.ask)
    async with open_stage(folder, listener) as stage:
        async with AsyncExitStack() as stack:
            await _start(stage, narrator)
            await stage.connect(stack)
            results = await play_scenes(stage, narrator, scenes)
        report = _report(stage, results, time.monotonic() - began)
        _tell_end(report, narrator)
        tell_how_to_try(narrator, folder, stage.url, open_now=wish.serve)
        if wish.as_json:
            say_json(msgspec.to_builtins(report))
        if wish.serve:
            narrator.heading(f"Open at {stage.url} until Ctrl-C.")
            sys.stdout.flush()
            await stop.asked()
    return report


async def _start(stage: Stage, narrator: Narrator) -> None:
    folder = stage.folder
    narrator.heading(f"Lockgate is open at {stage.url}",
                     f"In this process; everything it uses is in {folder.root}.")  # fmt: skip
    narrator.sentence("Starting the servers behind it:")
    waiting = {one.name: 1 if one.shared else 3 for one in folder.upstreams}

    def tell(found: Started) -> None:
        waiting[found.name] -= 1
        if found.problem:
            narrator.claim(f"{found.name}: {found.problem}; see {folder.root / LOG}", true=False)
        elif not waiting[found.name]:
            narrator.claim(f"{found.name:<11} {_described(folder, found)}", true=True)

    await stage.start_all(tell)
    for absent in folder.missing:
        narrator.omission(f"{absent.name:<11} left out: {absent.why}")


def _described(folder: Folder, found: Started) -> str:
    about = next(one.about for one in folder.upstreams if one.name == found.name)
    return f"{counted(len(found.tools), 'tool'):<9} {found.seconds:>4.1f} s   {about}"


def _report(stage: Stage, results: tuple[SceneResult, ...], seconds: float) -> Report:
    return Report(
        all(r.as_told for r in results),
        round(seconds, 3),
        stage.url,
        str(stage.folder.root),
        results,
        tuple(stage.started.values()),
        {one.name: one.why for one in stage.folder.missing},
    )


def _tell_end(report: Report, narrator: Narrator) -> None:
    claims = sum(r.checked for r in report.scenes)
    wrong = [r.name for r in report.scenes if not r.as_told]
    told = "all as told" if report.as_told else f"NOT AS TOLD: {listed(wrong, 20)}"
    left_out = sum(bool(r.left_out) for r in report.scenes)
    played = counted(len(report.scenes) - left_out, "scene")
    if left_out:
        played += f" ({left_out} more left out)"
    narrator.heading(
        f"{played}, {counted(claims, 'claim')} checked, {report.seconds:.1f} s: {told}."
    )


def _listen(port: int) -> socket.socket:
    try:
        return listen("127.0.0.1", port)
    except OSError as error:
        refuse(f"Port {port} cannot be used: {error.strerror or error}.", "Choose another --port.")


@contextmanager
def _removed_after(root: Path, *, keep: bool) -> Iterator["_Keep"]:
    kept = _Keep(keep)
    try:
        yield kept
    finally:
        if not kept.it:
            shutil.rmtree(root, ignore_errors=True)


class _Keep:
    def __init__(self, it: bool) -> None:
        self.it = it

    def __call__(self) -> None:
        self.it = True


@contextmanager
def _logged_to(file: Path) -> Iterator[None]:
    """What the gateway, the clients and the servers' libraries log goes to ``file``."""
    writing = logging.FileHandler(file, delay=True)
    writing.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(writing)
    try:
        yield
    finally:
        root.removeHandler(writing)
        with suppress(OSError):
            writing.close()
