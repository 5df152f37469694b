"""The demo's stage with as little on it as a test needs."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from io import StringIO
from pathlib import Path

from lockgate.app.demo.folder import Folder, fill
from lockgate.app.demo.narration import Narrator, NotAsTold, Telling
from lockgate.app.demo.stage import Stage, open_stage
from lockgate.app.demo.upstreams import Behind
from lockgate.app.listening import listen

PERMIT_ALL = '@id("anything") permit (principal, action, resource);'


@asynccontextmanager
async def staged(
    root: Path,
    *upstreams: Behind,
    policies: Mapping[str, str] = {},
    edit: Callable[[str], str] = str,
) -> AsyncIterator[Stage]:
    """A gateway before ``upstreams`` with everybody connected. ``policies``: texts by file name, in
    place of the demo's own; ``edit`` changes the configuration. An upstream starts when it is first
    asked something."""
    listener = listen("127.0.0.1", 0)
    folder = fill(root, (upstreams, ()), listener.getsockname()[1])
    folder.config.write_text(edit(folder.config.read_text()))
    for name, text in policies.items():
        (root / "policies" / name).write_text(text)
    async with open_stage(folder, listener) as stage, AsyncExitStack() as stack:
        await stage.connect(stack)
        yield stage


def telling() -> Telling:
    return Telling(Narrator(StringIO()))


def folder_of(root: Path, *upstreams: Behind) -> Folder:
    return Folder(root, upstreams, ())


async def untrue(scene: Callable[..., object], stage: Stage) -> str:
    """The first claim of a scene that was not so; empty if all of it was."""
    try:
        await scene(stage, telling())  # type: ignore[misc]
    except NotAsTold as claim:
        return str(claim)
    return ""
