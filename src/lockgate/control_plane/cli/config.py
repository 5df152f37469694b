"""``lockgate config``: is lockgate.yaml right, and what may it say."""

from typing import Annotated

import msgspec
import typer

from lockgate.control_plane.cli.office import office_of
from lockgate.control_plane.cli.output import FINDINGS, say, say_json, say_problems

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
