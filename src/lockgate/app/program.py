"""Every command: the control plane's, and those that run a gateway."""

import logging
import sys
import webbrowser
from typing import Annotated

import typer

from lockgate.app.demo.command import Play, command, play_elsewhere
from lockgate.app.front import scheme_of
from lockgate.app.ingress_stdio import USAGE
from lockgate.app.listening import address_of, listen_at
from lockgate.app.login.command import (
    OpenStore,
    kept_elsewhere,
    login_command,
    logout_command,
)
from lockgate.app.office import LocalOffice
from lockgate.app.reload import content_digest
from lockgate.app.seat import read_seat, stand_over
from lockgate.app.server import serve
from lockgate.app.settings_file import SettingsInvalid, load
from lockgate.control_plane.cli.output import refuse, say, say_problems
from lockgate.control_plane.cli.program import build
from lockgate.model import StoreDown
from lockgate.model.reference import ReferenceBroken
from lockgate.policy.mapping import MappingInvalid
from lockgate.policy.source import PolicyInvalid

if sys.platform == "win32":
    from asyncio import run as run_loop
else:
    import resource

    from uvloop import run as run_loop

OPEN = "Lockgate is open at {base}/mcp (and {base}/mcp/<upstream>)."

program = build(LocalOffice)


def run(play: Play = play_elsewhere, where: OpenStore = kept_elsewhere) -> int:
    """``play``: what ``lockgate demo`` does; ``where``: where logins are kept. Each has a program
    of its own, which alone loads what it needs."""
    complete(play, where)()
    return 0


def complete(play: Play = play_elsewhere, where: OpenStore = kept_elsewhere) -> typer.Typer:
    """The program with the commands that are given their means from outside."""
    program.command("demo")(command(play))
    program.command("login")(login_command(where, webbrowser.open))
    program.command("logout")(logout_command(where))
    return program


@program.command("serve")
def serve_command(
    ctx: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more to stderr.")] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Processes that share the work, not listen.workers."),
    ] = None,
    seat: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Run the gateway until it is told to stop (SIGTERM, SIGINT or Ctrl-C).

    A changed configuration or policy is taken into use within a second or two, or at once on
    SIGHUP; one that does not hold is refused, and the last good one stays in force.

    \b
    Health: GET /health/live and /health/ready on the same port.
    """
    office = ctx.obj
    _leave_no_core()
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )

    try:
        seen = content_digest(office.config)
        settings = load(office.config)
        many = workers or settings.listen.workers
        if many > 1 and not seat:
            with listen_at(settings) as listener:
                text = OPEN.format(base=f"{scheme_of(settings)}://{address_of(listener)}")
                stand_over(office.config, settings, many, listener, text, verbose=verbose)
        run_loop(serve(office.config, settings, _ready, read_seat(seat) if seat else None, seen))
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


def _ready(base: str) -> None:
    say(OPEN.format(base=base))
    sys.stdout.flush()


def _leave_no_core() -> None:
    """A core dump would hold every secret in use."""
    if sys.platform != "win32":
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@program.command("stdio", help=USAGE)
def stdio_command() -> None:
    """Only for ``--help``: ``main`` starts the shim without loading this program."""
