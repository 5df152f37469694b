"""``lockgate accounts``: accounts that people connected at upstreams."""

from typing import Annotated

import typer

from lockgate.audit.reader import timestamp
from lockgate.control_plane.cli.office import Office, Records, acting_of, office_of, records_of
from lockgate.control_plane.cli.output import say, say_json, say_table
from lockgate.control_plane.services.accounts import ConnectedAccounts, state_of
from lockgate.model import Account

accounts = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="List and disconnect accounts that people connected at upstreams.",
)


@accounts.command("list")
def list_accounts(
    ctx: typer.Context,
    principal: Annotated[str, typer.Option(help="Only theirs, for instance person:alice.")] = "",
    upstream: Annotated[str, typer.Option(help="Only at this upstream.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List connected accounts. Tokens are never shown.

    An account is broken when its authorization ended; its owner is given a link to connect it again
    at the next call.

    \b
    Examples:
      lockgate accounts list
      lockgate accounts list --principal person:alice --json

    Exit codes: 0 listed, 2 bad usage, 3 the store cannot be read.
    """
    office = office_of(ctx)
    with records_of(ctx) as records:
        found = _service(office, records).list(principal, upstream)
    if as_json:
        say_json([_json(one) for one in found])
        return
    if not found:
        say("No account is connected. Whoever calls an upstream that needs one gets a link.",
            err=True)  # fmt: skip
        return
    say_table(
        ("PRINCIPAL", "UPSTREAM", "ISSUER", "SCOPES", "CONNECTED", "STATE"),
        [(one.principal, one.upstream, one.issuer, " ".join(one.scopes) or "-",
          timestamp(one.connected)[:10], state_of(one)) for one in found],
    )  # fmt: skip


@accounts.command()
def disconnect(
    ctx: typer.Context,
    principal: Annotated[str, typer.Argument(help="Whose, for instance person:alice.")],
    upstream: Annotated[str, typer.Option(help="Only at this upstream. Default: all.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Disconnect accounts of one principal. Running gateways stop using them at once.

    The tokens are destroyed here. To end the permission itself, its owner revokes it where it was
    given.

    \b
    Examples:
      lockgate accounts disconnect person:alice
      lockgate accounts disconnect person:alice --upstream github

    Exit codes: 0 disconnected, 2 bad usage, 3 there is none, or the store cannot be used.
    """
    office = office_of(ctx)
    with records_of(ctx) as records:
        done = _service(office, records).disconnect(principal, upstream)
    if as_json:
        say_json([_json(one) for one in done])
        return
    for one in done:
        say(f"disconnected {one.principal} from {one.upstream}")


def _service(office: Office, records: Records) -> ConnectedAccounts:
    return ConnectedAccounts(records.accounts, acting_of(office, records.events))


def _json(one: Account) -> dict[str, object]:
    return {
        "principal": one.principal, "upstream": one.upstream, "issuer": one.issuer,
        "scopes": list(one.scopes), "connected": timestamp(one.connected),
        "expires": timestamp(one.expires), "state": state_of(one), "broken": one.broken or None,
    }  # fmt: skip
