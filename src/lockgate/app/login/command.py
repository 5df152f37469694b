"""``lockgate login`` and ``lockgate logout``."""

import asyncio
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pyreqwest.http import Url

from lockgate.app.ingress_stdio import DEFAULT_URL
from lockgate.app.login.addresses import checked, gateway_of
from lockgate.app.login.code_flow import Means, by_code
from lockgate.app.login.device_flow import by_device
from lockgate.app.login.fetching import fetch
from lockgate.app.login.grant import Grant
from lockgate.app.login.loopback import DEFAULT
from lockgate.app.login.signing import Flow, Order, sign_in, sign_out, state_of
from lockgate.app.login.store import LoginStore
from lockgate.audit.reader import timestamp
from lockgate.control_plane.cli.output import FINDINGS, say, say_json
from lockgate.control_plane.services.refused import Refused

OpenStore = Callable[[Path | None], LoginStore]
"""For the file that was named instead of the keychain, if one was. Raises ``Refused``."""

_URL = typer.Option(help="The gateway. Default: LOCKGATE_URL, else this machine's.")
_FILE = typer.Option(
    help="Keep the tokens in this file instead of the keychain: unencrypted, open to every program "
    "you run and in your backups. Give it to `lockgate stdio` and `logout` too."
)


def kept_elsewhere(insecure_file: Path | None) -> LoginStore:  # noqa: ARG001
    """Where the keychain's own program is not loaded: options stand before the command's name."""
    raise Refused("The configuration is the gateway's, not yours.",
                  "Run `lockgate login` without options before it.")  # fmt: skip


def login_command(where: OpenStore, browse: Callable[[str], object]) -> Callable[..., Any]:
    """The command's function, for ``typer``. ``browse`` opens an address in a browser."""

    def login(
        url: Annotated[str, _URL] = "",
        client_id: Annotated[str, typer.Option(help="As your company registered it.")] = "",
        device: Annotated[bool, typer.Option("--device", help="Sign in elsewhere.")] = False,
        browser: Annotated[bool, typer.Option(help="Open it, or only show its address.")] = True,
        issuer: Annotated[str, typer.Option(help="Which server, if there are several.")] = "",
        redirect: Annotated[str, typer.Option(help="As registered; any port if none.")] = DEFAULT,
        insecure_file: Annotated[Path | None, _FILE] = None,
        status: Annotated[bool, typer.Option("--status", help="Say who is signed in.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Sign in, so that `lockgate stdio --login` acts as you.

        The gateway says which authorization server your company uses; you sign in there. The
        tokens are kept in your system's keychain (needs: pip install 'lockgate[keyring]') and
        renewed unattended until you log out or are logged out. They are never shown.

        \b
        Examples:
          lockgate login --url https://gate.example/mcp --client-id lockgate-login
          lockgate login --device              on a machine without a browser
          lockgate login --status --json

        Exit codes: 0 signed in, 1 not signed in (--status), 2 bad usage, 3 refused or unavailable.
        """
        address = _address(url)
        store = where(insecure_file)
        if status:
            _say_status(gateway_of(address), store, as_json=as_json)
            return
        means = _means(browse if browser else _nobody)
        flow = _elsewhere(means) if device else _here(means, redirect)
        order = Order(address, client_id, issuer)
        _say_grant(asyncio.run(sign_in(order, flow, store, fetch)), store, as_json=as_json)

    return login


def logout_command(where: OpenStore) -> Callable[..., Any]:
    def logout(
        url: Annotated[str, _URL] = "",
        insecure_file: Annotated[Path | None, _FILE] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Sign out: revoke the login at its server, and forget it here.

        \b
        Examples:
          lockgate logout --url https://gate.example/mcp

        Exit codes: 0 revoked, or nobody was signed in; 1 forgotten here, but not revoked; 2 bad
        usage, 3 refused or unavailable.
        """
        gateway, store = gateway_of(_address(url)), where(insecure_file)
        done = asyncio.run(sign_out(gateway, store, fetch))
        if as_json:
            say_json({"gateway": gateway, "signed_out": bool(done),
                      "revoked": bool(done and done[1])})  # fmt: skip
        elif done is None:
            say(f"Nobody was signed in to {gateway}.", err=True)
        elif done[1]:
            say(f"Signed out of {gateway}; {done[0].issuer} has revoked the login.")
        else:
            say(f"Forgotten here, but {done[0].issuer} has not revoked the login.",
                "Its token is good until it ends. To be sure, end it there.", err=True)  # fmt: skip
        if done and not done[1]:
            raise typer.Exit(FINDINGS)

    return logout


def _here(means: Means, redirect: str) -> Flow:
    return lambda wanted: by_code(wanted, means, redirect)


def _elsewhere(means: Means) -> Flow:
    return lambda wanted: by_device(wanted, means, _tell, asyncio.sleep)


def _address(url: str) -> Url:
    return checked(url or os.environ.get("LOCKGATE_URL") or DEFAULT_URL, "The gateway's URL")


def _means(show: Callable[[str], object]) -> Means:
    def shown(address: str) -> None:
        # Always also in words: the browser may be on another desktop, or not open at all.
        say("Sign in at this address; it comes back here by itself:", address, err=True)
        # A browser in this very terminal returns when it is left: who waits must not.
        asyncio.get_running_loop().run_in_executor(None, show, address)

    return Means(fetch, time.time, lambda: secrets.token_urlsafe(32), shown)


def _nobody(address: str) -> None:
    """The person reads it."""


def _tell(address: str, code: str) -> None:
    say(f"Go to {address}", f"and enter the code {code}", err=True)


def _say_status(gateway: str, store: LoginStore, *, as_json: bool) -> None:
    grant = store.get(gateway)
    if grant is not None:
        _say_grant(grant, store, as_json=as_json)
    elif as_json:
        say_json({"gateway": gateway, "state": "none"})
    else:
        say(f"Not signed in to {gateway}.", err=True)
    if grant is None or state_of(grant, time.time()) == "expired":
        raise typer.Exit(FINDINGS)


def _say_grant(grant: Grant, store: LoginStore, *, as_json: bool) -> None:
    state = state_of(grant, time.time())
    expires = timestamp(int(grant.expires * 1000)) if grant.expires else None
    if as_json:
        say_json({
            "gateway": grant.gateway, "state": state, "subject": grant.subject or None,
            "name": grant.name or None, "issuer": grant.issuer, "resource": grant.resource,
            "client_id": grant.client_id, "scope": grant.scope, "expires": expires,
            "renewed": bool(grant.refresh_token), "kept_in": store.place,
        })  # fmt: skip
        return
    who = grant.name or grant.subject or "somebody (the server did not say who)"
    say(f"Signed in to {grant.gateway} as {who}, at {grant.issuer} ({state}).")
    how = "and renewed unattended" if grant.refresh_token else "and not renewed"
    say(f"The token is good until {expires or 'the gateway refuses it'} {how}.")
    say(f"Kept in {store.place}.")
