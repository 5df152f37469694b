"""``lockgate approvals grant``, ``edit``, ``delegate``, ``apply``: more than yes and no."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import typer

from lockgate.audit.reader import timestamp
from lockgate.control_plane.cli.approval_shown import as_plain
from lockgate.control_plane.cli.durations import span_ms
from lockgate.control_plane.cli.office import Office, Records, approvals_of, office_of, records_of
from lockgate.control_plane.cli.output import say, say_json, say_table
from lockgate.control_plane.services.approvals import Shown
from lockgate.control_plane.services.catalogue import Catalogue
from lockgate.control_plane.services.delegations import Delegations
from lockgate.control_plane.services.edits import Edits
from lockgate.control_plane.services.grants import Grants
from lockgate.model.approval import Bound
from lockgate.model.inquiry import Delegation, Inquiry

_JSON = typer.Option("--json", help="Print JSON.")
_QUESTION = typer.Argument(metavar="QUESTION_ID", help="As `approvals list` names it.")
AsJson = Annotated[bool, _JSON]


def grant(
    ctx: typer.Context,
    id: Annotated[str, _QUESTION],
    uses: Annotated[int, typer.Option(help="How often, at most 50.")],
    lasts: Annotated[str, typer.Option("--for", help="30m or 2h; at most 8h.")],
    bound: Annotated[list[str], typer.Option(help="What an argument may be; one for each.")],
    as_json: AsJson = False,
) -> None:
    """Propose that such calls pass for a while: the same person, agent and tool, within bounds.

    It asks the same people as the question does; if you are one of them, you have said yes by
    this. Every argument needs a bound, and the call that was asked about must be within them.

    \b
    Bounds: /amount<=100  /amount>=1  /patient_id=p-011  '/unit in ["mg","ml"]'

    \b
    Example:
      lockgate approvals grant 9f1c0f6d --uses 5 --for 30m \\
        --bound '/amount<=100' --bound '/patient_id=p-011'

    Exit codes: 0 proposed or in force, 2 bad usage, 3 refused.
    """
    with records_of(ctx) as records:
        service = Grants(approvals_of(office_of(ctx), records))
        one = service.propose(id, uses, span_ms(lasts, "--for"), bound).inquiry
    if as_json:
        say_json(_brief(one))
    elif one.state == "approved":
        say(f"in force until {timestamp(one.expires)}: {one.id}")
    else:
        say(f"proposed: {one.id}", "It takes others' yes: lockgate approvals approve " + one.id)


def grants(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the grants in force, newest first.

    \b
    Example:
      lockgate approvals grants --json

    Exit codes: 0 listed, 2 bad usage, 3 the store cannot be read.
    """
    with records_of(ctx) as records:
        found = Grants(approvals_of(office_of(ctx), records)).list()
    if as_json:
        say_json([as_plain(one) | {"bounds": _bounds(one)} for one in found])
        return
    if not found:
        say("No grant is in force.", err=True)
        return
    say_table(
        ("ID", "WHO", "WHAT", "USES LEFT", "UNTIL", "BOUNDS"),
        [(s.asked.inquiry.id, s.asked.inquiry.holder, s.asked.inquiry.title,
          str(s.asked.inquiry.uses), timestamp(s.asked.inquiry.expires), "; ".join(_bounds(s)))
         for s in found],
    )  # fmt: skip


def end_grant(ctx: typer.Context, id: Annotated[str, _QUESTION], as_json: AsJson = False) -> None:
    """End a grant before its time: whoever could have said yes to it, whom it is for, and who may
    stop anything.

    \b
    Example:
      lockgate approvals end-grant 4be1...

    Exit codes: 0 ended, 2 bad usage, 3 refused.
    """
    with records_of(ctx) as records:
        ended = Grants(approvals_of(office_of(ctx), records)).end(id)
    say_json(_brief(ended)) if as_json else say(f"{ended.state}: {ended.id}")


def edit(
    ctx: typer.Context,
    id: Annotated[str, _QUESTION],
    set_: Annotated[list[str], typer.Option("--set", help="/ARGUMENT=VALUE, by JSON pointer.")],
    as_json: AsJson = False,
) -> None:
    """Propose other arguments: a new question in place of the old one, for somebody else to answer.

    It counts as yours, so you cannot approve it yourself. Whoever asked sees what changed.

    \b
    Example:
      lockgate approvals edit 9f1c0f6d --set /dose=10

    Exit codes: 0 asked anew, 2 bad usage, 3 refused.
    """
    with records_of(ctx) as records:
        service = Edits(approvals_of(office_of(ctx), records))
        new = service.edit(id, set_)
        changes = [str(one) for one in service.changes(new.id)]
    if as_json:
        say_json(_brief(new) | {"parent": new.parent, "changes": changes})
    else:
        say(f"asked anew: {new.id}", *changes)


def delegate(
    ctx: typer.Context,
    to: Annotated[str, typer.Argument(help="oidc:SUBJECT or os:ACCOUNT.")],
    until: Annotated[str, typer.Option(help="2026-12-24T18:00, this machine's time.")],
    factor: Annotated[str, typer.Option(help="Only for this factor. Default: for all.")] = "",
    away: Annotated[bool, typer.Option("--away", help="You are not asked meanwhile.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let somebody else answer what you may answer, for at most 30 days. It ends by itself.

    They cannot pass it on, and nobody can answer their own question by it. Giving admin roles
    cannot be lent.

    \b
    Example:
      lockgate approvals delegate oidc:erin --until 2026-12-24T18:00 --factor owner --away

    Exit codes: 0 lent, 2 bad usage, 3 refused.
    """
    office = office_of(ctx)
    with records_of(ctx) as records:
        service = Delegations(approvals_of(office, records))
        one = service.give(_known(office, to), _time(until), factor, away=away)
    say_json(_lent(one)) if as_json else say(f"{one.taker} answers for you: {one.id}")


def delegations(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List who answers for whom now.

    \b
    Example:
      lockgate approvals delegations --json

    Exit codes: 0 listed, 2 bad usage, 3 the store cannot be read.
    """
    with records_of(ctx) as records:
        found = Delegations(approvals_of(office_of(ctx), records)).list()
    if as_json:
        say_json([_lent(one) for one in found])
        return
    if not found:
        say("Nobody answers for somebody else.", err=True)
        return
    say_table(
        ("ID", "FOR", "ANSWERS", "FACTOR", "AWAY", "UNTIL"),
        [(d.id, d.giver, d.taker, d.factor or "all", "yes" if d.away else "no", timestamp(d.ends))
         for d in found],
    )  # fmt: skip


def undelegate(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(help="As `approvals delegations` names it.")],
    as_json: AsJson = False,
) -> None:
    """End a delegation: either of the two, or who may stop anything.

    \b
    Example:
      lockgate approvals undelegate 5f1d7a84db5a7b2c

    Exit codes: 0 ended, 2 bad usage, 3 refused.
    """
    with records_of(ctx) as records:
        one = Delegations(approvals_of(office_of(ctx), records)).end(id)
    say_json(_lent(one)) if as_json else say(f"{one.taker} answers for {one.giver} no more")


def apply_edit(ctx: typer.Context, id: Annotated[str, _QUESTION], as_json: AsJson = False) -> None:
    """Write an approved change of the configuration, on the machine where the file is.

    Refused where the file is not what it was when the change was proposed.

    \b
    Example:
      lockgate approvals apply 9f1c0f6d

    Exit codes: 0 written, 2 bad usage, 3 refused.
    """
    office = office_of(ctx)
    with records_of(ctx) as records:
        done = catalogue_of(office, records).apply(id)
    say_json(_brief(done)) if as_json else say(f"wrote {office.config}")


def catalogue_of(office: Office, records: Records) -> Catalogue:
    """As whoever types."""
    secrets = office.deployment().secrets_dir
    return Catalogue(approvals_of(office, records), office.config, secrets, office.check)


PROPOSALS: dict[str, Callable[..., None]] = {
    "grant": grant,
    "grants": grants,
    "end-grant": end_grant,
    "edit": edit,
    "delegate": delegate,
    "delegations": delegations,
    "undelegate": undelegate,
    "apply": apply_edit,
}
"""Commands of the group ``approvals``, besides yes and no."""


def _known(office: Office, identity: str) -> str:
    """An account that is also somebody's at the identity provider is that person."""
    kind, _, name = identity.partition(":")
    return office.admin_rules().identity_of(name) if kind == "os" else identity


def _time(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError as error:
        raise typer.BadParameter("write for instance 2026-12-24T18:00",
                                 param_hint="--until") from error  # fmt: skip


def _bounds(seen: Shown) -> list[str]:
    scope = seen.asked.inquiry.scope
    return [_bound(one) for one in scope.bounds] if scope else []


def _bound(one: Bound) -> str:
    return f"{one.pointer} {one.is_} {', '.join(map(str, one.values))}"


def _brief(one: Inquiry) -> dict[str, object]:
    return {"id": one.id, "kind": one.kind, "state": one.state, "digest": one.digest,
            "uses": one.uses, "expires": timestamp(one.expires)}  # fmt: skip


def _lent(one: Delegation) -> dict[str, object]:
    return {"id": one.id, "giver": one.giver, "taker": one.taker, "factor": one.factor,
            "away": one.away, "until": timestamp(one.ends)}  # fmt: skip
