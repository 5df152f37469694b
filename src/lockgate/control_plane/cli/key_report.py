"""``lockgate keys report``: which keys somebody should look at."""

from typing import Annotated

import typer

from lockgate.audit.reader import timestamp
from lockgate.control_plane.cli.durations import duration_ms
from lockgate.control_plane.cli.office import office_of, records_of
from lockgate.control_plane.cli.output import FINDINGS, say, say_json, say_table
from lockgate.control_plane.services import key_report
from lockgate.control_plane.services.key_report import Aged, Bounds
from lockgate.control_plane.services.keys import DAY_MS


def report(
    ctx: typer.Context,
    older_than: Annotated[str, typer.Option(help="Since it was made.")] = "90d",
    unused: Annotated[str, typer.Option(help="Since it was last used.")] = "30d",
    longest: Annotated[str, typer.Option(help="What a key may be valid for.")] = "180d",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the valid keys by age, and what is wrong with each.

    \b
    old         made longer ago than --older-than, and not rotated
    unused      not used for --unused
    never-used  never used, and made longer ago than --unused
    owner-idle  a service's key, whose owner has used no key of their own for --unused
    long-lived  made for longer than --longest

    Uses are written down once a minute, not by older versions of Lockgate: a key that was used
    last under one of those counts as never used until it is used again.

    \b
    Examples:
      lockgate keys report
      lockgate keys report --older-than 90d --unused 30d --json
      0 7 * * *  lockgate -c /etc/lockgate.yaml keys report || alarm    (in a crontab)

    Exit codes: 0 nothing found, 1 a key has findings, 2 bad usage, 3 the store cannot be read.
    """
    bounds = Bounds(
        duration_ms(older_than, "--older-than"),
        duration_ms(unused, "--unused"),
        duration_ms(longest, "--longest"),
    )
    office = office_of(ctx)
    with records_of(ctx) as records:
        found = key_report.report(records.keys.list(), office.now_ms(), bounds)
    wanting = sum(bool(aged.findings) for aged in found)
    if as_json:
        say_json([_json(aged) for aged in found])
    elif not found:
        say("There is no valid key.", err=True)
    else:
        say_table(("ID", "KIND", "SUBJECT", "OWNER", "AGE", "LEFT", "USED", "FINDINGS"),
                  [_row(aged) for aged in found])  # fmt: skip
        say(f"{wanting} of {len(found)} should be looked at.", err=True)
    if wanting:
        raise typer.Exit(FINDINGS)


def _row(aged: Aged) -> tuple[str, ...]:
    record = aged.record
    return (
        record.id, record.kind, record.subject, record.owner, f"{aged.age // DAY_MS}d",
        f"{aged.left // DAY_MS}d", timestamp(record.used)[:16] if record.used else "never",
        ",".join(aged.findings) or "-",
    )  # fmt: skip


def _json(aged: Aged) -> dict[str, object]:
    record = aged.record
    return {
        "id": record.id, "kind": record.kind, "subject": record.subject, "owner": record.owner,
        "age_days": aged.age // DAY_MS, "days_left": aged.left // DAY_MS,
        "created": timestamp(record.created), "expires": timestamp(record.expires),
        "used": timestamp(record.used) if record.used else None,
        "successor": record.successor or None, "findings": list(aged.findings),
    }  # fmt: skip
