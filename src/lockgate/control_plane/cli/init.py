"""``lockgate init``: the files to start from."""

from pathlib import Path
from typing import Annotated

import typer

from lockgate.control_plane.cli.output import say, say_json
from lockgate.control_plane.services.starter import write_starter


def init(
    folder: Annotated[Path, typer.Option("--dir", help="Where to write.")] = Path("."),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was written as JSON.")
    ] = False,
) -> None:
    """Write a commented lockgate.yaml and a starter policy.

    Nothing that exists is overwritten. The starter policy lets keys with the role "developer"
    use all upstreams; everybody else is refused until a policy permits it.

    \b
    Examples:
      lockgate init
      lockgate init --dir /etc/lockgate

    Exit codes: 0 written, 2 bad usage, 3 a file exists or cannot be written.
    """
    written = write_starter(folder)
    if as_json:
        say_json({"written": [str(p) for p in written]})
        return
    for path in written:
        say(f"wrote {path}")
    at = "" if folder.resolve() == Path.cwd() else f" --config {written[0]}"
    say(
        "",
        "Next:",
        f"  lockgate{at} import FILE       take over the servers of an MCP client",
        f"  lockgate{at} keys create --kind personal --owner YOU --role developer --expires 90d",
        f"  lockgate{at} serve",
        f"  lockgate{at} connect CLIENT    claude-desktop, claude-code, cursor or vscode",
    )
