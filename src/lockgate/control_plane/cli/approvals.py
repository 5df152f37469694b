"""``lockgate approvals``: questions that wait for people."""

from typing import Annotated, Any

import typer

from lockgate.audit.reader import timestamp
from lockgate.control_plane.cli.office import (
    approvals_of,
    office_of,
    privileges_of,
    records_of,
    sees_contents,
)
from lockgate.control_plane.cli.output import say, say_json, say_table
from lockgate.control_plane.services.approvals import Shown, mine
from lockgate.model.inquiry import Answer, Asked
from lockgate.model.privilege import AdminRole

approvals = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="See what waits for people, and answer."
)

LOOKS: tuple[AdminRole, ...] = ("reader", "approver")
_ID = typer.Argument(help="The question's id, or that of the call that asked.")
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
    """Show one question: what will run exactly, who asks, who said what, who must still agree.

    With roles enforced, approvers alone are shown the arguments.

    \b
    Example:
      lockgate approvals show 9f1c0f6d2f7a4b0c8f3f6f1d0e1b2a3c

    Exit codes: 0 shown, 2 bad usage, 3 refused.
    """
    with records_of(ctx) as records:
        seen = approvals_of(office_of(ctx), records).show(id)
        contents = sees_contents(ctx, records) or bool(seen.voice.factors)
    told = as_plain(seen) | {"arguments": _arguments(seen) if contents else None}
    facts = dict(seen.facts) if contents else {}
    if as_json:
        say_json(told | {"facts": facts})
        return
    for name, value in told.items():
        say(f"{name:<12} {_text(value)}")
    if _says_more(seen):
        for name, value in facts.items():
            say(f"{name}:", *value.split("\n"))


@approvals.command()
def approve(
    ctx: typer.Context,
    id: Annotated[str, _ID],
    digest: Annotated[str, _DIGEST] = "",
    note: Annotated[str, _NOTE] = "",
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Say yes to exactly this, once.

    It holds for these arguments, this definition of the tool and the policies that asked. It is in
    the journal, with the account that said it. Nobody approves what they asked for themselves.

    \b
    Example:
      lockgate approvals approve 9f1c0f6d2f7a4b0c8f3f6f1d0e1b2a3c

    Exit codes: 0 said, 2 bad usage, 3 refused.
    """
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


def as_plain(seen: Shown) -> dict[str, Any]:
    """Without arguments."""
    one = seen.asked.inquiry
    return {
        "id": one.id, "kind": one.kind, "what": one.title, "who": one.holder, "agent": one.agent,
        "state": one.state, "why": one.reason, "asked": timestamp(one.created),
        "until": timestamp(one.expires), "digest": one.digest, "call": one.call,
        "votes": [{"who": v.voter, "said": v.answer, "at": timestamp(v.at), "note": v.note,
                   "as": list(v.factors), "for": v.by_delegation} for v in seen.asked.votes],
        "needs": {need.factor: need.count for need in one.needs},
        "missing": {need.factor: need.count for need in seen.missing},
        "mine": sorted(seen.voice.factors), "uses": one.uses, "parent": one.parent,
    }  # fmt: skip


def _says_more(seen: Shown) -> bool:
    """Its facts say more than the arguments do."""
    return seen.asked.inquiry.kind != "call"


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
        return f"said yes to {one.title}; it still needs {_text(as_plain(after)['missing'])}"
    return f"{one.state}: {one.title}, asked by {one.holder}"


def _arguments(seen: Shown) -> str | None:
    return seen.call.params.decode() if seen.call else None


def _row(seen: Shown) -> tuple[str, ...]:
    one = seen.asked.inquiry
    needs = ", ".join(f"{n.factor} x {n.count}" if n.count > 1 else n.factor for n in seen.missing)
    return (one.id, timestamp(one.created), one.holder, one.title, one.state, needs,
            timestamp(one.expires))  # fmt: skip


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} ({count})" for name, count in value.items()) or "nobody"
    if isinstance(value, list):
        return "; ".join(_text(one) for one in value) or "none"
    return str(value)
