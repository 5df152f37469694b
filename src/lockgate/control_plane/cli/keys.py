"""``lockgate keys``: who may come in."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from lockgate.audit.reader import timestamp
from lockgate.control_plane.cli.durations import duration_ms
from lockgate.control_plane.cli.key_report import report
from lockgate.control_plane.cli.office import Office, Records, acting_of, office_of, records_of
from lockgate.control_plane.cli.output import say, say_json, say_table
from lockgate.control_plane.services.files import PRIVATE, write_new
from lockgate.control_plane.services.keys import DAY_MS, KeyOrder, Keys, NewKey, state_of
from lockgate.control_plane.services.people import inactive_names
from lockgate.control_plane.services.refused import Refused
from lockgate.model import KeyRecord

keys = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Make, list, rotate and revoke keys."
)
keys.command()(report)

_Several = typer.Option(help="May be given several times.")
_KeyFile = Annotated[Path | None, typer.Option(help="Write it there, do not show it.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@keys.command()
def create(
    ctx: typer.Context,
    kind: Annotated[Literal["personal", "service"], typer.Option(help="Whom it speaks for.")],
    owner: Annotated[str, typer.Option(help="The person who answers for it.")],
    expires: Annotated[str, typer.Option(help="90d, 12w or 1y; at most 366 days.")],
    subject: Annotated[str, typer.Option(help="The service's name (service keys).")] = "",
    role: Annotated[list[str] | None, _Several] = None,
    scope: Annotated[list[str] | None, _Several] = None,
    network: Annotated[
        list[str] | None, typer.Option(help="Where it may be used from. Default: anywhere.")
    ] = None,
    agent: Annotated[str, typer.Option(help="The client it is for.")] = "",
    key_file: _KeyFile = None,
    as_json: _Json = False,
) -> None:
    """Make a key and show it once.

    A personal key speaks for its owner. A service key speaks for a service, and its owner answers
    for it. Policies see the subject, the roles and the scopes. From outside its networks a key is
    as good as a wrong one. Only a keyed hash is stored: a lost key cannot be shown again.

    \b
    Examples:
      lockgate keys create --kind personal --owner alice --role developer --expires 90d
      lockgate keys create --kind service --owner alice --subject ci --role builder --expires 12w \\
        --scope tickets.read --network 10.20.0.0/16 --network 2001:db8:20::/48

    Exit codes: 0 made, 2 bad usage, 3 refused.
    """
    office = office_of(ctx)
    _check_free(key_file)
    days = duration_ms(expires, "--expires", "dwy") // DAY_MS
    order = KeyOrder(kind, owner, days, subject, tuple(role or ()), agent, tuple(scope or ()),
                     tuple(network or ()))  # fmt: skip
    with records_of(ctx) as records:
        made = _service(office, records).create(order)
    _hand_over(made, office, key_file, as_json)


@keys.command("list")
def list_keys(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also revoked and expired.")] = False,
    as_json: _Json = False,
) -> None:
    """List the keys that are valid, and those that are dead because their owner is inactive.

    When a key was last used is up to a minute old while the gateway runs. NEXT is the key that was
    made in its place by `lockgate keys rotate`.

    \b
    Examples:
      lockgate keys list
      lockgate keys list --all --json

    Exit codes: 0 listed, 2 bad usage, 3 the store cannot be read.
    """
    office = office_of(ctx)
    with records_of(ctx) as records:
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
        ("ID", "KIND", "SUBJECT", "OWNER", "ROLES", "SCOPES", "FROM", "AGENT", "EXPIRES", "USED",
         "STATE", "NEXT"),
        [(r.id, r.kind, r.subject, r.owner, _listed(r.roles), _listed(r.scopes),
          ",".join(r.networks) or "anywhere", r.agent or "-", timestamp(r.expires)[:10],
          timestamp(r.used)[:16] if r.used else "never", states[r.id], r.successor or "-")
         for r in wanted],
    )  # fmt: skip


@keys.command()
def rotate(
    ctx: typer.Context,
    key_id: Annotated[str, typer.Argument(help="The key's id.")],
    overlap: Annotated[str, typer.Option(help="How long the old one still works: 24h, 7d.")],
    expires: Annotated[str, typer.Option(help="Default: as long as the old one had.")] = "",
    key_file: _KeyFile = None,
    as_json: _Json = False,
) -> None:
    """Make a key in another's place, and let the old one end after the overlap.

    The new key has the owner, subject, roles, scopes, networks and agent of the old one. The old
    one ends when the overlap is over, or sooner where it would have expired sooner; 0h ends it at
    once. Each key is rotated once: after that, rotate its successor.

    \b
    Examples:
      lockgate keys rotate abcdefghijkl --overlap 24h
      lockgate keys rotate abcdefghijkl --overlap 7d --expires 90d --key-file ci.key

    Exit codes: 0 rotated, 2 bad usage, 3 no such key, or refused.
    """
    office = office_of(ctx)
    _check_free(key_file)
    days = duration_ms(expires, "--expires", "dwy") // DAY_MS if expires else None
    with records_of(ctx) as records:
        done = _service(office, records).rotate(key_id, duration_ms(overlap, "--overlap"), days)
    _hand_over(done.new, office, key_file, as_json, old=done.old)
    if not as_json:
        say(f"Key {key_id} works until {timestamp(done.old.expires)}.", err=True)


@keys.command()
def revoke(
    ctx: typer.Context,
    key_id: Annotated[str, typer.Argument(help="The key's id.")] = "",
    owner: Annotated[str, typer.Option(help="Revoke every key this person owns.")] = "",
    as_json: _Json = False,
) -> None:
    """Revoke a key, or all keys of one person. Running gateways notice within two seconds.

    A key that was made in its place by `lockgate keys rotate` is a key of its own, and stays.

    \b
    Examples:
      lockgate keys revoke abcdefghijkl
      lockgate keys revoke --owner alice

    Exit codes: 0 revoked, 2 bad usage, 3 no such key, or refused.
    """
    if bool(key_id) == bool(owner):
        raise typer.BadParameter("give either a key's id or --owner", param_hint="KEY_ID")
    office = office_of(ctx)
    with records_of(ctx) as records:
        service = _service(office, records)
        done = service.revoke_all_of(owner) if owner else (service.revoke(key_id),)
    if as_json:
        say_json([_json(r, office.now_ms()) for r in done])
        return
    for record in done:
        say(f"revoked {record.id} ({record.kind}, {record.subject})")
        if key_id and record.successor:
            say(f"{record.successor}, which follows it, is a key of its own.", err=True)


def _service(office: Office, records: Records) -> Keys:
    return Keys(records.keys, acting_of(office, records.events), records.pepper)


def _check_free(key_file: Path | None) -> None:
    if key_file and key_file.expanduser().exists():
        raise Refused(f"{key_file} exists already.", "Nothing was made. Name another file.")


def _hand_over(
    made: NewKey,
    office: Office,
    key_file: Path | None,
    as_json: bool,
    old: KeyRecord | None = None,
) -> None:
    """Show the key, or write it where nobody else reads it. ``old``: what it follows."""
    if key_file:
        try:
            write_new(key_file.expanduser(), made.text + "\n", PRIVATE)
        except Refused as error:
            remedy = f"`lockgate keys revoke {made.record.id}`, and make another."
            raise Refused(
                f"{error.why} Key {made.record.id} was made and is lost.", remedy
            ) from error
    now = office.now_ms()
    if as_json:
        shown = {} if key_file else {"key": made.text}
        follows = {"replaces": _json(old, now)} if old else {}
        say_json({**_json(made.record, now), **shown, **follows})
        return
    if key_file:
        say(f"wrote {key_file}")
    else:
        typer.echo(made.text)
    say(f"Key {made.record.id} for {made.record.subject}, valid until "
        f"{timestamp(made.record.expires)}. It is not shown again.", err=True)  # fmt: skip


def _listed(words: frozenset[str]) -> str:
    return ",".join(sorted(words)) or "-"


def _json(record: KeyRecord, now: int) -> dict[str, object]:
    return {
        "id": record.id, "kind": record.kind, "owner": record.owner, "subject": record.subject,
        "roles": sorted(record.roles), "scopes": sorted(record.scopes),
        "networks": list(record.networks), "agent": record.agent, "state": state_of(record, now),
        "created": timestamp(record.created), "expires": timestamp(record.expires),
        "revoked": timestamp(record.revoked) if record.revoked else None,
        "used": timestamp(record.used) if record.used else None,
        "successor": record.successor or None,
    }  # fmt: skip
