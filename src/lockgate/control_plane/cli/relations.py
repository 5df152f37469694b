"""``lockgate relations``: who answers for what."""

from pathlib import Path
from typing import Annotated

import typer

from lockgate.control_plane.cli.office import Office, Records, acting_of, office_of, records_of
from lockgate.control_plane.cli.output import say, say_json, say_table
from lockgate.control_plane.services.files import read_text
from lockgate.control_plane.services.relations import Relations

relations = typer.Typer(no_args_is_help=True, rich_markup_mode=None,
                        help="Say who answers for what, and see it.")  # fmt: skip


@relations.command()
def load(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(help="Your name for where the file comes from.")],
    file: Annotated[Path, typer.Argument(help="CSV with the header entity,relation,who.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Replace all that a source says by what the file says.

    Sources add up. A factor with `relation: lead` and `argument: /patient_id` then asks whoever is
    lead of the patient that the call names. Running gateways know it within a second.

    \b
    Example:
      printf 'entity,relation,who\\np-011,lead,dora\\n' > teams.csv
      lockgate relations load hr teams.csv

    Exit codes: 0 loaded, 2 bad usage, 3 refused: a mistake in the file, by line; nothing changed.
    """
    with records_of(ctx) as records:
        count = _service(office_of(ctx), records).load(source, read_text(file))
    say_json({"source": source, "count": count}) if as_json else say(f"{source} says {count}")


@relations.command("list")
def list_relations(
    ctx: typer.Context,
    entity: Annotated[str, typer.Option(help="Only of this one.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what all sources say together.

    \b
    Example:
      lockgate relations list --entity p-011 --json

    Exit codes: 0 listed, 2 bad usage, 3 the store cannot be read.
    """
    with records_of(ctx) as records:
        found = _service(office_of(ctx), records).list(entity)
    if as_json:
        say_json([{"entity": t.entity, "relation": t.relation, "who": t.who} for t in found])
        return
    if not found:
        say("No relation is known.", err=True)
        return
    say_table(("ENTITY", "RELATION", "WHO"), [(t.entity, t.relation, t.who) for t in found])


def _service(office: Office, records: Records) -> Relations:
    return Relations(records.relations, acting_of(office, records.events))
