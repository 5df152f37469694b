"""``lockgate tokens``: which access tokens count no more."""

from typing import Annotated

import typer

from lockgate.audit.reader import timestamp
from lockgate.control_plane.cli.office import Office, Records, actor_of, office_of, records_of
from lockgate.control_plane.cli.output import say, say_json, say_table
from lockgate.control_plane.services.tokens import Tokens
from lockgate.model.revocation import Revocation, RevocationKind

tokens = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Revoke access tokens of your issuers."
)


@tokens.command()
def revoke(
    ctx: typer.Context,
    issuer: Annotated[str, typer.Option(help="As the configuration names it.")],
    subject: Annotated[str, typer.Option(help="All tokens of this subject (sub).")] = "",
    token: Annotated[str, typer.Option(help="One token, by its id (jti).")] = "",
    session: Annotated[str, typer.Option(help="All tokens of one sign-in (sid).")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Refuse tokens that were issued until now. Running gateways notice within two seconds.

    What a subject gets by signing in again is not refused: to keep a person out, tell the issuer.

    \b
    Examples:
      lockgate tokens revoke --issuer corp --subject alice
      lockgate tokens revoke --issuer corp --token 6a0f

    Exit codes: 0 revoked, 2 bad usage, 3 no such issuer, or refused.
    """
    named: dict[RevocationKind, str] = {"subject": subject, "token": token, "session": session}
    wanted = [(kind, value) for kind, value in named.items() if value]
    if len(wanted) != 1:
        raise typer.BadParameter("give one of --subject, --token and --session")
    office = office_of(ctx)
    with records_of(ctx) as records:
        done = _service(office, records).revoke(issuer, *wanted[0])
    if as_json:
        say_json(_json(done))
        return
    say(f"revoked: tokens of {issuer} whose {done.kind} is {done.value}")


@tokens.command("revoked")
def list_revoked(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what was revoked here, or because an issuer said so. The newest comes first.

    \b
    Examples:
      lockgate tokens revoked
      lockgate tokens revoked --json

    Exit codes: 0 listed, 2 bad usage, 3 the store cannot be read.
    """
    office = office_of(ctx)
    with records_of(ctx) as records:
        found = _service(office, records).list()
    if as_json:
        say_json([_json(one) for one in found])
        return
    if not found:
        say("Nothing was revoked.", err=True)
        return
    say_table(
        ("ISSUER", "KIND", "VALUE", "ISSUED BEFORE"),
        [(one.issuer, one.kind, one.value, timestamp(one.before)) for one in found],
    )


def _service(office: Office, records: Records) -> Tokens:
    return Tokens(records.revocations, records.events, office.issuers(), actor_of(office),
                  office.now_ms, office.random_bytes)  # fmt: skip


def _json(one: Revocation) -> dict[str, object]:
    return {
        "issuer": one.issuer, "kind": one.kind, "value": one.value,
        "before": timestamp(one.before), "until": timestamp(one.expires),
    }  # fmt: skip
