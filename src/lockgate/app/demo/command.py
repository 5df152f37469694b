"""``lockgate demo`` as a command. Imports nothing of the demo's extra, so that ``--help`` lists it
wherever Lockgate is installed; what plays it is given from outside."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from lockgate.control_plane.cli.output import refuse

Play = Callable[["Wish"], int]
"""Plays the demo and returns the exit code."""


class Wish(msgspec.Struct, frozen=True):
    """What the user asked for."""

    data: Path | None = None
    """Directory to keep; None for one that goes when the demo ends."""
    port: int = 0
    serve: bool = False
    as_json: bool = False


def command(play: Play) -> Callable[..., Any]:
    """The command's function, for ``typer``."""

    def demo(
        data: Annotated[Path | None, typer.Option(help="Build it here, and keep it.")] = None,
        port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free one.")] = 0,
        serve: Annotated[bool, typer.Option("--serve", help="Keep it open until Ctrl-C.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print results as JSON.")] = False,
    ) -> None:
        """See the gateway at work: real MCP clients, real MCP servers, nothing to configure.

        Starts a gateway on this machine before a small clinic and servers that others wrote, sends
        two people and a service through it, tells what happened and checks that it is so. Needs
        the extra: pip install 'lockgate[demo]'. More servers take part where Node.js ones are on
        the PATH (mcp-server-filesystem, mcp-server-everything, mcp-server-memory), and people sign
        in at a real identity provider where npm's oidc-provider is beside them.

        \b
        Examples:
          lockgate demo
          lockgate demo --serve                try it by hand afterwards
          lockgate demo --data ./clinic        keep configuration, policies, keys and journal

        Exit codes: 0 everything went as told, 1 something did not, 2 bad usage, 3 refused or
        unavailable, 130 interrupted.
        """
        raise typer.Exit(play(Wish(data, port, serve, as_json)))

    return demo


def play_elsewhere(wish: Wish) -> int:  # noqa: ARG001
    """Where the demo's own program is not loaded: options stand before the command's name."""
    refuse("The demo brings its own configuration.", "Run `lockgate demo` without options before.")


def play_without_extra(wish: Wish) -> int:  # noqa: ARG001
    refuse("The demo's clients and servers are not installed.", "pip install 'lockgate[demo]'")
