"""``lockgate keys``: who may come in."""

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from lockgate.audit.reader import timestamp
from lockgate.control_plane.cli.office import Office, Records, office_of
from lockgate.control_plane.cli.output import say, say_json, say_table
from lockgate.control_plane.services.files import PRIVATE, write_new
from lockgate.control_plane.services.keys import KeyOrder, Keys, state_of
from lockgate.control_plane.services.people import inactive_names
from lockgate.control_plane.services.refused import Refused
from lockgate.model import KeyRecord

keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make, list and revoke keys.")

_DAYS = {"d": 1, "w": 7, "y": 365}


@keys.command()
def create(
    ctx: typer.Context,
    kind: Annotated[Literal["personal", "service"], typer.Option(help="Whom it speaks for.")],
    owner: Annotated[str, typer.Option(help="The person who answers for it.")],
    expires: Annotated[str, typer.Option(help="90d, 12w or 1y; at most 366 days.")],
    subject: Annotated[str, typer.Option(help="The service's name (service keys).")] = "",
    role: Annotated[list[str] | None, typer.Option(help="May be given several times.")] = None,
    agent: Annotated[str, typer.Option(help="The client it is for.")] = "",
    key_file: Annotated[Path | None, typer.Option(help="Write it there, do not show it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a key and show it once.

    A personal key speaks for its owner. A service key speaks for a service, and its owner answers
    for it. Policies see the subject and the roles. Only a keyed hash is stored: a lost key cannot
    be shown again.

    \b
    Examples:
      lockgate keys create --kind personal --owner alice --role developer --expires 90d
      lockgate keys create --kind service --owner alice --subject ci --role builder --expires 12w

    Exit codes: 0 made, 2 bad usage, 3 refused.
    """
    office = office_of(ctx)
    if key_file and key_file.expanduser().exists():
        raise Refused(f"{key_file} exists already.", "Nothing was made. Name another file.")
    order = KeyOrder(kind, owner, _days(expires), subject, tuple(role or ()), agent)
    with office.open() as records:
        made = _service(office, records).create(order)
    if key_file:
        write_new(key_file.expanduser(), made.text + "\n", PRIVATE)
    if as_json:
        shown = {} if key_file else {"key": made.text}
        say_json({**_json(made.record, office.now_ms()), **shown})
        return
    if key_file:
        say(f"wrote {key_file}")
    else:
        typer.echo(made.text)
    say(f"Key {made.record.id} for {made.record.subject}, valid until "
        f"{timestamp(made.record.expires)}. It is not shown again.", err=True)  # fmt: skip


@keys.command("list")
def list_keys(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also revoked and expired.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the keys that are valid, and those that are dead because their owner is inactive.

    \b
    Examples:
      lockgate keys list
      lockgate keys list --all --json

    Exit codes: 0 listed, 2 bad usage, 3 the store cannot be read.
    """
    office = office_of(ctx)
    with office.open() as records:
        found = records.keys.list()
        leavers = inactive_names(records.people.people())
    now = office.now_ms()
    states = {r.id: state_of(r, now, leavers) for r in found}
    wanted = [r for r in found if everything or states[r.id] in ("active", "inactive")]
    if as_json:
        say_json([{**_json(r, now), "state": states[r.id]} for r in wanted])
        return
    if not wanted:
        say("There is no valid key. Make one with `lockgate keys create`.", err=True)
        return
    say_table(
        ("ID", "KIND", "SUBJECT", "OWNER", "ROLES", "AGENT", "EXPIRES", "STATE"),
        [(r.id, r.kind, r.subject, r.owner, ",".join(sorted(r.roles)) or "-", r.agent or "-",
          timestamp(r.expires)[:10], states[r.id]) for r in wanted],
    )  # fmt: skip


@keys.command()
def revoke(
    ctx: typer.Context,
    key_id: Annotated[str, typer.Argument(help="The key's id.")] = "",
    owner: Annotated[str, typer.Option(help="Revoke every key this person owns.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Revoke a key, or all keys of one person. Running gateways notice within two seconds.

    \b
    Examples:
      lockgate keys revoke abcdefghijkl
      lockgate keys revoke --owner alice

    Exit codes: 0 revoked, 2 bad usage, 3 no such key, or refused.
    """
    if bool(key_id) == bool(owner):
        raise typer.BadParameter("give either a key's id or --owner", param_hint="KEY_ID")
    office = office_of(ctx)
    with office.open() as records:
        service = _service(office, records)
        done = service.revoke_all_of(owner) if owner else (service.revoke(key_id),)
    if as_json:
        say_json([_json(r, office.now_ms()) for r in done])
        return
    for record in done:
        say(f"revoked {record.id} ({record.kind}, {record.subject})")


def _service(office: Office, records: Records) -> Keys:
    return Keys(records.keys, records.events, records.pepper, office.machine.user,
                office.now_ms, office.random_bytes)  # fmt: skip


def _days(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,4})([dwy])", text)
    if found is None:
        raise typer.BadParameter("write for instance 90d, 12w or 1y", param_hint="--expires")
    return int(found[1]) * _DAYS[found[2]]


def _json(record: KeyRecord, now: int) -> dict[str, object]:
    return {
        "id": record.id, "kind": record.kind, "owner": record.owner, "subject": record.subject,
        "roles": sorted(record.roles), "agent": record.agent, "state": state_of(record, now),
        "created": timestamp(record.created), "expires": timestamp(record.expires),
        "revoked": timestamp(record.revoked) if record.revoked else None,
    }  # fmt: skip
