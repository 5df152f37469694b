"""The program with the demo in it. ``main`` loads this for ``lockgate demo`` only: the ``mcp`` SDK
takes a second and 60 MB, and no other command may need it."""

from lockgate.app import program
from lockgate.app.demo.command import Play, play_without_extra

_EXTRA = ("mcp", "mcp_types", "httpx2", "anyio")

try:
    from lockgate.app.demo.show import play
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] not in _EXTRA:
        raise
    _play: Play = play_without_extra
else:
    _play = play


def run() -> int:
    return program.run(_play)
