"""``lockgate config``: is lockgate.yaml right, and what may it say."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from lockgate.control_plane.cli.office import office_of, records_of
from lockgate.control_plane.cli.output import FINDINGS, refuse, say, say_json, say_problems
from lockgate.control_plane.cli.proposals import catalogue_of
from lockgate.control_plane.services.files import read_text

config = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check the configuration.")


@config.command()
def check(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check lockgate.yaml and the policies it names.

    Every mistake is named with file, line, column, what was found, what is expected and what to do.

    \b
    Examples:
      lockgate config check
      lockgate --config /etc/lockgate/lockgate.yaml config check --json

    Exit codes: 0 valid, 1 something is wrong, 2 bad usage.
    """
    office = office_of(ctx)
    problems = office.check()
    if not problems:
        problems = office.check_policies().problems
    if as_json:
        say_json({"file": str(office.config), "valid": not problems,
                  "problems": [msgspec.to_builtins(p) for p in problems]})  # fmt: skip
    elif problems:
        say_problems(problems)
    else:
        say(f"{office.config} is valid.")
    if problems:
        raise typer.Exit(FINDINGS)


@config.command()
def schema(ctx: typer.Context) -> None:
    """Print a JSON Schema of lockgate.yaml, for editors that complete and check as you type.

    \b
    Example:
      lockgate config schema > lockgate.schema.json
      then, as the first line of lockgate.yaml:
      # yaml-language-server: $schema=lockgate.schema.json
    """
    say_json(office_of(ctx).schema())


@config.command()
def propose(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="What lockgate.yaml should be.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask somebody else to agree to another lockgate.yaml. Nothing is written.

    For deployments whose `approvals.factors` name `catalogue`. Once approved, and while the file is
    still what it was, `lockgate approvals apply ID` writes it. Give the factor time: for instance
    minutes: 1440, window_minutes: 1440.

    \b
    Example:
      cp lockgate.yaml new.yaml && "$EDITOR" new.yaml
      lockgate config propose new.yaml

    Exit codes: 0 asked, 2 bad usage, 3 refused.
    """
    office = office_of(ctx)
    with records_of(ctx) as records:
        if not office.asks_for_catalogue():
            refuse("Nobody has to agree to changes of the configuration.",
                   "Edit the file, or name the factor catalogue in approvals.factors.")  # fmt: skip
        asked = catalogue_of(office, records).propose(read_text(file))
    if as_json:
        say_json({"id": asked.id, "digest": asked.digest, "state": asked.state})
    else:
        say(f"asked: {asked.id}", f"Somebody else now runs: lockgate approvals approve {asked.id}")
