"""``lockgate approvals channels``: where approvers are told, and whether that works."""

from typing import Annotated, Any

import typer

from lockgate.audit.reader import timestamp
from lockgate.control_plane.cli.office import acting_of, office_of, privileges_of, records_of
from lockgate.control_plane.cli.output import FINDINGS, say, say_json, say_table
from lockgate.control_plane.services.channels import ChannelSeen, channels_seen, send_test


def channels(
    ctx: typer.Context,
    test: Annotated[str, typer.Option(metavar="NAME", help="Send a message to this one.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List where approvers are told that a question waits, and how each place does.

    WAITING is still to be delivered; DEAD was given up, or was refused for good. --test sends a
    message from here that says it is a test; with roles enforced that takes an operator. Run it as
    the gateway's user and with its environment, so that it finds the same secrets.

    \b
    Examples:
      lockgate approvals channels
      lockgate approvals channels --test ops

    Exit codes: 0 all are well or the test was taken, 1 a channel fails or the test was not taken,
    2 bad usage, 3 refused.
    """
    if test:
        _try(ctx, test, as_json)
        return
    with records_of(ctx), office_of(ctx).channels() as desk:
        found = channels_seen(desk)
    if as_json:
        say_json([_plain(one) for one in found])
    elif found:
        say_table(
            ("CHANNEL", "KIND", "FACTORS", "LAST SENT", "WAITING", "DEAD", "TROUBLE"),
            [_row(one) for one in found],
        )
    else:
        say("The configuration names no channel (approvals.channels).", err=True)
    if any(one.fault or one.health.dead for one in found):
        raise typer.Exit(FINDINGS)


def _try(ctx: typer.Context, name: str, as_json: bool) -> None:
    office = office_of(ctx)
    with records_of(ctx) as records:
        privileges_of(office, records).require("operator")
    with office.channels() as desk:
        why = send_test(desk, name, acting_of(office, desk.events))
    if as_json:
        say_json({"channel": name, "taken": not why, "why": why})
    else:
        say(f"{name} did not take it: {why}" if why else f"{name} took it.")
    if why:
        raise typer.Exit(FINDINGS)


def _plain(one: ChannelSeen) -> dict[str, Any]:
    health = one.health
    return {
        "channel": one.channel.name, "kind": one.kind, "factors": sorted(one.channel.factors),
        "names": one.channel.names, "succeeded": _when(health.succeeded),
        "failed": _when(health.failed), "waiting": health.waiting, "dead": health.dead,
        "trouble": one.fault,
    }  # fmt: skip


def _row(one: ChannelSeen) -> tuple[str, ...]:
    health, factors = one.health, ", ".join(sorted(one.channel.factors))
    return (one.channel.name, one.kind, factors or "all", _when(health.succeeded) or "never",
            str(health.waiting), str(health.dead), one.fault)  # fmt: skip


def _when(at: int) -> str:
    return timestamp(at) if at else ""
