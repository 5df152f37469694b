"""``lockgate people``: who works here."""

from typing import Annotated

import typer

from lockgate.audit.reader import timestamp
from lockgate.control_plane.cli.office import Office, Records, acting_of, office_of, records_of
from lockgate.control_plane.cli.output import say, say_json, say_table
from lockgate.control_plane.services.people import People, inactive_names, state_of
from lockgate.model import Group, Person
from lockgate.model.person import folded

people = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="See, block and unblock people."
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Who = Annotated[str, typer.Argument(help="User name, or what the source calls the person.")]


@people.command("list")
def list_people(
    ctx: typer.Context,
    inactive: Annotated[bool, typer.Option(help="Only who is not active.")] = False,
    as_json: Json = False,
) -> None:
    """List what each source says of each person: SCIM, directories (ldap:NAME), the operator.

    Who is inactive for one source is let in by none of their credentials.

    \b
    Examples:
      lockgate people list
      lockgate people list --inactive --json

    Exit codes: 0 listed, 2 bad usage, 3 the store cannot be read.
    """
    office = office_of(ctx)
    with records_of(ctx) as records:
        service = _service(office, records)
        found, groups = service.list(), service.groups()
    wanted = [one for one in found if not (inactive and one.active)]
    if as_json:
        say_json([_json(one, groups) for one in wanted])
        return
    if not wanted:
        say("No source has said anything of anybody.", err=True)
        return
    say_table(
        ("USER NAME", "EXTERNAL ID", "SOURCE", "STATE", "GROUPS", "SINCE"),
        [(p.user_name, p.external_id or "-", p.source, state_of(p),
          ",".join(_groups(p, groups)) or "-", timestamp(p.learned)) for p in wanted],
    )  # fmt: skip


@people.command()
def show(ctx: typer.Context, name: Who, as_json: Json = False) -> None:
    """Show everything that is known of one person, and the keys they answer for.

    \b
    Example:
      lockgate people show alice

    Exit codes: 0 shown, 2 bad usage, 3 nobody knows this name.
    """
    office = office_of(ctx)
    with records_of(ctx) as records:
        service = _service(office, records)
        found, groups = service.known_as(name), service.groups()
        names = {folded(each) for one in found for each in one.names}
        keys = [key for key in records.keys.list() if folded(key.owner) in names]
    let_in = not names & inactive_names(found)
    if as_json:
        said = [_json(one, groups) for one in found]
        say_json({"name": name, "active": let_in, "sources": said, "keys": [k.id for k in keys]})
        return
    say(f"{name} is {'active' if let_in else 'inactive: no credential is accepted'}")
    for one in found:
        say(f"  {one.source}: {state_of(one)} since {timestamp(one.learned)}, "
            f"user name {one.user_name}, external id {one.external_id or '-'}, "
            f"employee {one.employee or '-'}, "
            f"groups {', '.join(_groups(one, groups)) or '-'}")  # fmt: skip
    say(f"  keys: {', '.join(k.id for k in keys) or '-'}")


@people.command()
def deactivate(ctx: typer.Context, name: Who, as_json: Json = False) -> None:
    """Block a person at once: every key, token, session and stream of theirs, and every service key
    they answer for. Nobody needs to know them yet. Running gateways notice within two seconds.

    \b
    Example:
      lockgate people deactivate alice

    Exit codes: 0 blocked, 2 bad usage, 3 blocked before, or refused.
    """
    _say(ctx, name, False, as_json)


@people.command()
def reactivate(ctx: typer.Context, name: Who, as_json: Json = False) -> None:
    """Let a person in again whom an operator has blocked, or vouch for one whom no source knows.

    Keys that were not revoked are good again. What SCIM or a directory says is changed there.

    \b
    Example:
      lockgate people reactivate alice

    Exit codes: 0 done, 2 bad usage, 3 another source says no, or nothing to change.
    """
    _say(ctx, name, True, as_json)


def _say(ctx: typer.Context, name: str, active: bool, as_json: bool) -> None:
    office = office_of(ctx)
    with records_of(ctx) as records:
        done = _service(office, records).set_active(name, active)
    if as_json:
        say_json({"user_name": done.user_name, "active": active})
    else:
        say(f"{done.user_name} is {'active' if active else 'inactive'}")


def _service(office: Office, records: Records) -> People:
    return People(records.people, records.keys, acting_of(office, records.events))


def _groups(one: Person, groups: tuple[Group, ...]) -> list[str]:
    return sorted({*one.groups, *(g.name for g in groups if one.id in g.members)})


def _json(one: Person, groups: tuple[Group, ...]) -> dict[str, object]:
    return {
        "id": one.id, "source": one.source, "user_name": one.user_name,
        "external_id": one.external_id, "employee": one.employee, "state": state_of(one),
        "groups": _groups(one, groups), "learned": timestamp(one.learned),
    }  # fmt: skip
