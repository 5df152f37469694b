"""``lockgate admin``: who may change the gateway, for how long, and who said so."""

from collections.abc import Callable
from typing import Annotated

import typer

from lockgate.audit.reader import timestamp
from lockgate.control_plane.cli.durations import span_ms
from lockgate.control_plane.cli.office import (
    Office,
    Records,
    actor_of,
    office_of,
    privileges_of,
    records_of,
)
from lockgate.control_plane.cli.output import say, say_json, say_table
from lockgate.control_plane.services.privileges import Privileges, state_of
from lockgate.control_plane.services.recovery import VALID_MS, Recovery
from lockgate.model.privilege import ADMIN_ROLES, RECOVERY, AdminRole, Privilege

admin = typer.Typer(no_args_is_help=True, rich_markup_mode=None,
                    help="Ask for a role, give one to others, see who holds what.")  # fmt: skip

_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="As `admin list` names it.")]
_AsRecovery = Annotated[bool, typer.Option(
    "--as-recovery", help="Act as the recovery admin; asks for the code.")]  # fmt: skip


@admin.command()
def request(
    ctx: typer.Context,
    role: Annotated[AdminRole, typer.Argument(help="What is asked for.")],
    reason: Annotated[str, typer.Option(help="What it is needed for; it is in the journal.")],
    lasts: Annotated[str, typer.Option("--for", help="30m or 2h; at most admin.longest_hours.")],
    as_json: _AsJson = False,
) -> None:
    """Ask for a role, for a time. It begins when others have said yes.

    You are the account you logged in with; no option makes you somebody else. An unanswered
    request lapses after a day.

    \b
    Examples:
      lockgate admin request operator --reason "rotate the CI key" --for 2h
      lockgate admin request responder --reason "incident 4711" --for 30m

    Exit codes: 0 asked, 2 bad usage, 3 refused.
    """
    office = office_of(ctx)
    with records_of(ctx) as records:
        asked = privileges_of(office, records).request(role, reason, span_ms(lasts, "--for"))
    if as_json:
        say_json(_json(asked, office.now_ms()))
        return
    say(f"asked for {role} as {asked.holder}: {asked.id}",
        f"Somebody who may give it now runs: lockgate admin grant {asked.id}")  # fmt: skip


@admin.command()
def grant(
    ctx: typer.Context, ids: _Ids, as_recovery: _AsRecovery = False, as_json: _AsJson = False
) -> None:
    """Say yes to requests of others. Dangerous roles take two people.

    Who may is in the settings (admin.granters). Where nobody is named yet, and for roles that
    take one person only, the recovery admin may: `lockgate admin recover` makes a code.

    \b
    Examples:
      lockgate admin grant 5f1d7a84db5a7b2c
      lockgate admin grant 5f1d7a84db5a7b2c --as-recovery

    Exit codes: 0 said yes, 2 bad usage, 3 refused.
    """
    _each(ctx, ids, as_recovery, as_json, Privileges.grant)


@admin.command()
def deny(
    ctx: typer.Context, ids: _Ids, as_recovery: _AsRecovery = False, as_json: _AsJson = False
) -> None:
    """Say no to requests, or withdraw your own.

    \b
    Example:
      lockgate admin deny 5f1d7a84db5a7b2c

    Exit codes: 0 said no, 2 bad usage, 3 refused.
    """
    _each(ctx, ids, as_recovery, as_json, Privileges.deny)


@admin.command()
def revoke(
    ctx: typer.Context, ids: _Ids, as_recovery: _AsRecovery = False, as_json: _AsJson = False
) -> None:
    """End roles before their time: your own, or others' if you may give roles or are a responder.

    \b
    Example:
      lockgate admin revoke 5f1d7a84db5a7b2c

    Exit codes: 0 ended, 2 bad usage, 3 refused.
    """
    _each(ctx, ids, as_recovery, as_json, Privileges.revoke)


@admin.command("list")
def list_roles(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also what is over.")] = False,
    as_json: _AsJson = False,
) -> None:
    """List the roles that are held now and the requests that wait.

    \b
    Examples:
      lockgate admin list
      lockgate admin list --all --json

    Exit codes: 0 listed, 2 bad usage, 3 the store cannot be read.
    """
    office = office_of(ctx)
    with records_of(ctx) as records:
        found = privileges_of(office, records).list()
    now = office.now_ms()
    wanted = [p for p in found if everything or state_of(p, now) in ("waiting", "active")]
    if as_json:
        say_json([_json(p, now) for p in wanted])
        return
    if not wanted:
        say("Nobody holds a role, and nobody asks for one.", err=True)
        return
    say_table(
        ("ID", "ROLE", "WHO", "STATE", "UNTIL", "GRANTED BY", "REASON"),
        [(p.id, p.role, p.holder, state_of(p, now), timestamp(p.expires),
          ",".join(p.granted_by) or "-", p.reason) for p in wanted],
    )  # fmt: skip


@admin.command("who-can")
def who_can(ctx: typer.Context, as_json: _AsJson = False) -> None:
    """Say for each role who may give it, how many must, and who holds it now.

    \b
    Examples:
      lockgate admin who-can
      lockgate admin who-can --json

    Exit codes: 0 said, 2 bad usage, 3 the store cannot be read.
    """
    office = office_of(ctx)
    rules = office.admin_rules()
    with records_of(ctx) as records:
        found = privileges_of(office, records).list()
    now = office.now_ms()
    told = [
        {"role": role, "people": rules.people_for(role),
         "granters": sorted(w for w in {*rules.granters, RECOVERY} if rules.may_grant(w, role)),
         "held_by": sorted({p.holder for p in found
                            if p.role == role and state_of(p, now) == "active"})}
        for role in ADMIN_ROLES
    ]  # fmt: skip
    if as_json:
        you = actor_of(office).identity
        say_json({"enforced": rules.enforced, "you": you, "roles": told})
        return
    say(f"You are {actor_of(office).identity}. Roles are "
        f"{'enforced' if rules.enforced else 'not enforced (admin.enforced)'}.", "")  # fmt: skip
    say_table(
        ("ROLE", "TAKES", "MAY GIVE IT", "HELD BY"),
        [(str(r["role"]), f"{r['people']} yes", _names(r["granters"]), _names(r["held_by"]))
         for r in told],
    )  # fmt: skip


@admin.command()
def recover(ctx: typer.Context, as_json: _AsJson = False) -> None:
    """Print a code that makes its user the recovery admin, once, within 15 minutes.

    For the first role of all, and for when nobody else can be reached. The recovery admin may
    give and end roles that one person may give; it holds none. Codes made before are void.
    Making one and using it is in the journal. Type it where `--as-recovery` or the console asks;
    never put it on a command line.

    \b
    Example:
      lockgate admin recover

    Exit codes: 0 printed, 2 bad usage, 3 refused.
    """
    office = office_of(ctx)
    with records_of(ctx) as records:
        code = _recovery(office, records).make()
    until = timestamp(office.now_ms() + VALID_MS)
    if as_json:
        say_json({"code": code, "expires": until})
        return
    typer.echo(code)
    say(f"Good once, until {until}. It is not shown again.", err=True)


def _each(
    ctx: typer.Context,
    ids: list[str],
    as_recovery: bool,
    as_json: bool,
    step: Callable[[Privileges, str], Privilege],
) -> None:
    """All that can be done is done; the first refusal ends it."""
    office = office_of(ctx)
    done: list[Privilege] = []
    with records_of(ctx) as records:
        actor = None
        if as_recovery:
            code = typer.prompt("Recovery code", hide_input=True, err=True)
            actor = _recovery(office, records).use(code)
        service = privileges_of(office, records, actor)
        for one in ids:
            done.append(step(service, one))
            if not as_json:
                say(_told(done[-1], office))
    if as_json:
        say_json([_json(p, office.now_ms()) for p in done])


def _told(one: Privilege, office: Office) -> str:
    state = state_of(one, office.now_ms())
    if state == "active":
        return f"{one.holder} is {one.role} until {timestamp(one.expires)}"
    if state == "waiting":
        return f"{one.id} ({one.role} for {one.holder}) takes another person's yes too"
    return f"{state} {one.id} ({one.role} for {one.holder})"


def _recovery(office: Office, records: Records) -> Recovery:
    return Recovery(records.recovery, records.events, records.pepper, actor_of(office),
                    office.now_ms, office.random_bytes)  # fmt: skip


def _names(found: object) -> str:
    return ", ".join(map(str, found)) if isinstance(found, list) and found else "-"


def _json(one: Privilege, now: int) -> dict[str, object]:
    return {
        "id": one.id, "role": one.role, "holder": one.holder, "state": state_of(one, now),
        "reason": one.reason, "asked": timestamp(one.asked), "minutes": one.lasts // 60_000,
        "expires": timestamp(one.expires), "granted_by": list(one.granted_by),
        "granted": timestamp(one.granted) if one.granted else None,
        "ended": timestamp(one.ended) if one.ended else None, "ended_by": one.ended_by,
    }  # fmt: skip
