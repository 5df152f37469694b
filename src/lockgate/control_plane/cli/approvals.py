"""``lockgate approvals``: what waits for a person's yes."""

from typing import Annotated

import msgspec
import typer

from lockgate.audit.reader import timestamp
from lockgate.control_plane.cli.office import (
    Office,
    Records,
    acting_of,
    office_of,
    records_of,
    sees_contents,
)
from lockgate.control_plane.cli.output import say, say_json, say_table
from lockgate.control_plane.services.approvals import Approvals, Held

approvals = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="See held calls, and approve one."
)


@approvals.command("list")
def list_held(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the calls that wait for a yes, with the arguments that would be sent.

    With roles enforced, approvers alone are shown the arguments.

    \b
    Examples:
      lockgate approvals list
      lockgate approvals list --json

    Exit codes: 0 listed, 2 bad usage, 3 the store cannot be read.
    """
    office = office_of(ctx)
    with records_of(ctx) as records:
        found = _service(office, records).waiting()
        if not sees_contents(ctx, records):
            found = tuple(msgspec.structs.replace(held, arguments="") for held in found)
    if as_json:
        say_json([_json(held) for held in found])
        return
    if not found:
        say("No call waits for a yes.", err=True)
        return
    say_table(
        ("CALL", "AT", "WHO", "TOOL", "NEEDS", "ARGUMENTS"),
        [(h.call, timestamp(h.at), str(h.actor.get("subject", "")), f"{h.upstream}/{h.tool}",
          h.factor, h.arguments or "(withheld)") for h in found],
    )  # fmt: skip


@approvals.command()
def give(
    ctx: typer.Context,
    call: Annotated[str, typer.Argument(help="The call's id, as its refusal names it.")],
    minutes: Annotated[int, typer.Option(help="How long the yes holds; at most 1440.")] = 15,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say yes to exactly this call, once.

    It holds for these arguments, this definition of the tool and this policy, and is used up by
    the next identical call. It is in the journal, with the account that gave it.

    \b
    Example:
      lockgate approvals give 01a20458288c2cbd83ff496c02dd5c4d --minutes 15

    Exit codes: 0 given, 2 bad usage, 3 refused.
    """
    office = office_of(ctx)
    with records_of(ctx) as records:
        held, given = _service(office, records).give(call, minutes)
    if as_json:
        say_json({**_json(held), "approval": given.id, "expires": timestamp(given.expires)})
        return
    say(f"approved {held.upstream}/{held.tool} with {held.arguments}",
        f"for {held.actor.get('subject', '')}, once, until {timestamp(given.expires)}")  # fmt: skip


def _service(office: Office, records: Records) -> Approvals:
    return Approvals(records.approvals, records.events, acting_of(office, records.events))


def _json(held: Held) -> dict[str, object]:
    return {
        "call": held.call, "at": timestamp(held.at), "actor": dict(held.actor),
        "upstream": held.upstream, "tool": held.tool, "needs": held.factor,
        "arguments": held.arguments or None,
    }  # fmt: skip
