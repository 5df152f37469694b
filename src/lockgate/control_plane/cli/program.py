"""The command line, put together. ``app/main.py`` adds the commands that run a gateway."""

import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lockgate.control_plane.cli.accounts import accounts
from lockgate.control_plane.cli.admin import admin
from lockgate.control_plane.cli.approvals import approvals
from lockgate.control_plane.cli.audit import audit
from lockgate.control_plane.cli.config import config
from lockgate.control_plane.cli.connecting import connect
from lockgate.control_plane.cli.doctor import doctor
from lockgate.control_plane.cli.importing import import_file
from lockgate.control_plane.cli.init import init
from lockgate.control_plane.cli.keys import keys
from lockgate.control_plane.cli.office import Office
from lockgate.control_plane.cli.output import refuse, say, say_problems
from lockgate.control_plane.cli.people import people
from lockgate.control_plane.cli.proposals import PROPOSALS
from lockgate.control_plane.cli.relations import relations
from lockgate.control_plane.cli.secrets import secrets
from lockgate.control_plane.cli.tokens import tokens
from lockgate.control_plane.services.refused import Misconfigured, Refused
from lockgate.model import EventRefused, StoreDown

OfficeFactory = Callable[[Path], Office]
"""Makes the office for one configuration file. Cheap: it is made for every command."""

_DEFAULT = "lockgate.yaml"


COMMANDS: dict[str, Callable[..., None]] = {
    "init": init,
    "import": import_file,
    "connect": connect,
    "doctor": doctor,
}
GROUPS = {
    "keys": keys,
    "tokens": tokens,
    "admin": admin,
    "audit": audit,
    "config": config,
    "secrets": secrets,
    "people": people,
    "accounts": accounts,
    "relations": relations,
}


class Program(TyperGroup):
    """What a command raises on purpose becomes a sentence and exit code 3, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as error:
            refuse(error.why, error.remedy)
        except Misconfigured as error:
            say_problems(error.problems, err=True)
            refuse("The configuration cannot be used.", "See above; `lockgate config check` again.")
        except (StoreDown, EventRefused) as error:
            refuse(f"The store cannot be used: {error}", "`lockgate doctor` looks into it.")


def build(office_factory: OfficeFactory) -> typer.Typer:
    """The program without ``serve``, ``stdio`` and the like."""
    program = typer.Typer(
        name="lockgate",
        cls=Program,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        # The factory is there before any command runs: for the shell's completion.
        context_settings={"help_option_names": ["-h", "--help"], "obj": office_factory},
    )

    @program.callback()
    def start(
        ctx: typer.Context,
        config_file: Annotated[Path | None, typer.Option(
            "--config", "-c", help="Default: LOCKGATE_CONFIG, else ./lockgate.yaml.",
        )] = None,
        _version: Annotated[bool, typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Print the version.",
        )] = False,
    ) -> None:  # fmt: skip
        """A security gateway for the Model Context Protocol.

        \b
        To begin:
          lockgate init                  write lockgate.yaml and a starter policy
          lockgate import FILE           put a client's servers behind the gate
          lockgate keys create --help    make a key
          lockgate doctor                see what is missing

        Exit codes: 0 ok, 1 something is wrong (findings), 2 bad usage, 3 refused or unavailable.
        """
        ctx.obj = office_factory(config_file or Path(os.environ.get("LOCKGATE_CONFIG") or _DEFAULT))

    for name, command in COMMANDS.items():
        program.command(name)(command)
    for name, group in (GROUPS | {"approvals": _approvals()}).items():
        program.add_typer(group, name=name)
    return program


def _approvals() -> typer.Typer:
    """Yes and no, and what else may be said."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=approvals.info.help)
    group.add_typer(approvals)
    for name, command in PROPOSALS.items():
        group.command(name)(command)
    return group


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        say(version("lockgate"))
    except PackageNotFoundError:  # run from a source tree
        say("unknown")
    raise typer.Exit
