"""Every command: the control plane's, and those that run a gateway."""

import asyncio
import logging
import sys
from typing import Annotated

import typer

from lockgate.app.demo.command import Play, command, play_elsewhere
from lockgate.app.ingress_stdio import USAGE
from lockgate.app.office import LocalOffice
from lockgate.app.server import serve
from lockgate.app.settings_file import SettingsInvalid, load
from lockgate.control_plane.cli.output import refuse, say, say_problems
from lockgate.control_plane.cli.program import build
from lockgate.model import StoreDown
from lockgate.model.reference import ReferenceBroken
from lockgate.policy.mapping import MappingInvalid
from lockgate.policy.source import PolicyInvalid

program = build(LocalOffice)


def run(play: Play = play_elsewhere) -> int:
    """``play``: what ``lockgate demo`` does. Its own program is loaded only for it."""
    program.command("demo")(command(play))
    program()
    return 0


@program.command("serve")
def serve_command(
    ctx: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more to stderr.")] = False,
) -> None:
    """Run the gateway until it is told to stop (SIGTERM, SIGINT or Ctrl-C).

    A changed configuration or policy is taken into use within a second or two, or at once on
    SIGHUP; one that does not hold is refused, and the last good one stays in force.

    \b
    Health: GET /health/live and /health/ready on the same port.
    """
    office = ctx.obj
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )

    def ready(base: str) -> None:
        say(f"Lockgate is open at {base}/mcp (and {base}/mcp/<upstream>).")
        sys.stdout.flush()

    try:
        asyncio.run(serve(office.config, load(office.config), ready))
    except SettingsInvalid as invalid:
        say_problems(invalid.problems, err=True)
        refuse("The configuration cannot be used.", "See above; `lockgate config check` again.")
    except PolicyInvalid as invalid:
        say_problems(invalid.problems, err=True)
        refuse("The policies cannot be used.", "Mend them; `lockgate config check` says the same.")
    except (StoreDown, MappingInvalid, ReferenceBroken) as error:
        refuse(str(error), "`lockgate doctor` looks into it.")
    except OSError as error:
        refuse(f"Cannot start: {error.strerror or error}", "`lockgate doctor` looks into it.")


@program.command("stdio", help=USAGE)
def stdio_command() -> None:
    """Only for ``--help``: ``main`` starts the shim without loading this program."""
