"""``lockgate approvals``: questions that wait for people."""

import sys
from typing import Annotated, Any

import typer

from lockgate.audit.reader import timestamp
from lockgate.control_plane.cli.approval_channels import channels
from lockgate.control_plane.cli.approval_ids import LOOKS, waiting_ids
from lockgate.control_plane.cli.approval_shown import (
    as_plain,
    counts,
    on_yes,
    plain_history,
    say_question,
)
from lockgate.control_plane.cli.approval_stats import stats
from lockgate.control_plane.cli.office import (
    Records,
    approvals_of,
    office_of,
    privileges_of,
    records_of,
    sees_contents,
)
from lockgate.control_plane.cli.output import say, say_json, say_table
from lockgate.control_plane.services.approval_history import History
from lockgate.control_plane.services.approvals import Shown, mine
from lockgate.control_plane.services.refused import Refused
from lockgate.model.inquiry import Answer, Asked

approvals = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="See what waits for people, and answer."
)
approvals.command()(channels)
approvals.command()(stats)

_ID = typer.Argument(
    help="The question's id, or that of the call that asked.", autocompletion=waiting_ids
)
_DIGEST = typer.Option(help="What you say it to, as `show` printed it. Default: as it is now.")
_NOTE = typer.Option(help="A line for whoever looks later.")
_JSON = typer.Option("--json", help="Print JSON.")


@approvals.command("list")
def list_waiting(
    ctx: typer.Context,
    for_me: Annotated[bool, typer.Option("--mine", help="Only what you can answer now.")] = False,
    past: Annotated[bool, typer.Option(help="What is over, newest first.")] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """List the questions that wait for a yes, oldest first.

    With roles enforced, only readers and approvers see what is for others to answer.

    \b
    Examples:
      lockgate approvals list --mine
      lockgate approvals list --past --json

    Exit codes: 0 listed, 2 bad usage, 3 the store cannot be read.
    """
    with records_of(ctx) as records:
        service = approvals_of(office_of(ctx), records)
        found = service.past() if past else service.waiting()
        looks = privileges_of(office_of(ctx), records).holds(LOOKS)
        found = found if looks and not for_me else mine(found)
    if as_json:
        say_json([as_plain(one) for one in found])
        return
    if not found:
        say("Nothing is over yet." if past else "Nothing waits for a yes.", err=True)
        return
    say_table(
        ("ID", "ASKED", "WHO", "WHAT", "STATE", "STILL NEEDS", "UNTIL"),
        [_row(one) for one in found],
    )


@approvals.command()
def show(
    ctx: typer.Context,
    id: Annotated[str, _ID],
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Show one question: what will run exactly, who asks, who said what, what happens on yes.

    Arguments are printed as they will be sent; what could steer a terminal or hide is escaped. With
    roles enforced, they are shown to approvers and to whoever may answer.

    \b
    Example:
      lockgate approvals show 9f1c0f6d2f7a4b0c8f3f6f1d0e1b2a3c

    Exit codes: 0 shown, 2 bad usage, 3 refused.
    """
    with records_of(ctx) as records:
        seen, told, before = _looked(ctx, records, id)
    if as_json:
        say_json(told)
        return
    say_question(seen, told, before)


@approvals.command()
def approve(
    ctx: typer.Context,
    id: Annotated[str, _ID],
    digest: Annotated[str, _DIGEST] = "",
    note: Annotated[str, _NOTE] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Say yes to exactly this, once.

    On a terminal it shows the question and asks again. The yes holds for these arguments, this
    definition of the tool and the policies that asked. It is in the journal, with the account that
    said it. Nobody approves what they asked for themselves, and what takes a fresh and strong
    sign-in (step_up) is approved in the console alone.

    \b
    Examples:
      lockgate approvals approve 9f1c0f6d2f7a4b0c8f3f6f1d0e1b2a3c
      lockgate approvals approve 9f1c0f6d2f7a4b0c8f3f6f1d0e1b2a3c --yes --digest 5e88...

    Exit codes: 0 said, 1 not confirmed, 2 bad usage, 3 refused.
    """
    if not yes and sys.stdin.isatty():
        with records_of(ctx) as records:
            seen, told, before = _looked(ctx, records, id)
        say_question(seen, told, before)
        typer.confirm("Say yes to exactly this?", abort=True)
        digest = digest or seen.asked.inquiry.digest
    _answer(ctx, id, digest, "yes", note, as_json)


@approvals.command()
def deny(
    ctx: typer.Context,
    id: Annotated[str, _ID],
    veto: Annotated[bool, typer.Option(help="Stop it though nobody asked you.")] = False,
    note: Annotated[str, _NOTE] = "",
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Say no: one no ends the question. With --veto, also where others said yes already.

    \b
    Example:
      lockgate approvals deny 9f1c0f6d2f7a4b0c8f3f6f1d0e1b2a3c --note "wrong patient"

    Exit codes: 0 said, 2 bad usage, 3 refused.
    """
    _answer(ctx, id, "", "veto" if veto else "no", note, as_json)


@approvals.command()
def withdraw(
    ctx: typer.Context,
    id: Annotated[str, _ID],
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Take back your own question, or a yes of yours that was not used yet.

    \b
    Example:
      lockgate approvals withdraw 9f1c0f6d2f7a4b0c8f3f6f1d0e1b2a3c

    Exit codes: 0 taken back, 2 bad usage, 3 refused.
    """
    with records_of(ctx) as records:
        ended = approvals_of(office_of(ctx), records).withdraw(id)
    say_json({"id": ended.id, "state": ended.state}) if as_json else say(f"{ended.state}: {id}")


def _looked(ctx: typer.Context, records: Records, id: str) -> tuple[Shown, dict[str, Any], History]:
    """One question, all that is told of it, and what was asked before."""
    service = approvals_of(office_of(ctx), records)
    seen = service.show(id)
    one, voice = seen.asked.inquiry, seen.voice
    mine = voice.factors or voice.own or voice.veto
    if not mine and not privileges_of(office_of(ctx), records).holds(LOOKS):
        raise Refused("This question is not for you to see.", "Ask whoever named it to you.")
    contents = sees_contents(ctx, records) or bool(voice.factors)
    before = service.history(seen)
    arguments = seen.call.params.decode() if seen.call and contents else None
    facts = dict(seen.facts) if contents else {}
    told = as_plain(seen) | {"arguments": arguments, "facts": facts,
                             "before": plain_history(before),
                             "on_yes": on_yes(one, records.approvers.rules)}  # fmt: skip
    return seen, told, before


def _answer(
    ctx: typer.Context, id: str, digest: str, answer: Answer, note: str, as_json: bool
) -> None:
    with records_of(ctx) as records:
        service = approvals_of(office_of(ctx), records)
        seen = service.show(id)
        asked = service.answer(id, digest or seen.asked.inquiry.digest, answer, note)
        after = service.show(id)
    if as_json:
        say_json(as_plain(after))
        return
    say(_told(asked, after))


def _told(asked: Asked, after: Shown) -> str:
    one = asked.inquiry
    if one.state == "pending":
        return f"said yes to {one.title}; it still needs {counts(as_plain(after)['missing'])}"
    return f"{one.state}: {one.title}, asked by {one.holder}"


def _row(seen: Shown) -> tuple[str, ...]:
    one = seen.asked.inquiry
    needs = ", ".join(f"{n.factor} x {n.count}" if n.count > 1 else n.factor for n in seen.missing)
    return (one.id, timestamp(one.created), one.holder, one.title, one.state, needs,
            timestamp(one.expires))  # fmt: skip
