"""What ``lockgate login`` and ``logout`` do, apart from how they are asked for it."""

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec
from pyreqwest.http import Url

from lockgate.app.login.addresses import gateway_of
from lockgate.app.login.discovery import Resource, Server, issuer_of, resource_of, server_of
from lockgate.app.login.grant import Grant, GrantRefused, Wanted, revoke
from lockgate.app.login.lock import LockBusy, locked
from lockgate.app.login.store import LoginStore
from lockgate.control_plane.services.refused import Refused
from lockgate.model.fetch import Fetch, FetchFailed

Flow = Callable[[Wanted], Awaitable[Grant]]
State = Literal["active", "renewable", "expired"]


class Order(msgspec.Struct, frozen=True):
    url: Url
    client_id: str = ""
    """As the company registered it; empty: that of the last login."""
    issuer: str = ""
    """Which authorization server, where the gateway names several."""


async def sign_in(order: Order, flow: Flow, store: LoginStore, fetch: Fetch) -> Grant:
    """Find out where, let ``flow`` bring the person there, keep what was granted.

    Raises ``Refused``.
    """
    gateway = gateway_of(order.url)
    before = store.get(gateway)
    client = order.client_id or (before.client_id if before else "")
    if not client:
        raise Refused("No client id is known for this gateway.",
                      "Ask the operator for it, and give it with --client-id.")  # fmt: skip
    resource = await resource_of(order.url, fetch)
    server = await server_of(issuer_of(resource, order.issuer), fetch)
    wanted = Wanted(gateway, resource.resource, server, client, _scope(resource, server))
    try:
        grant = await flow(wanted)
        async with locked(store.lock):
            store.put(grant)
    except GrantRefused as refused:
        raise Refused(f"{server.issuer} did not let you in ({refused.error}).") from None
    except FetchFailed as failed:
        raise Refused(f"The sign-in failed: {failed}.") from None
    except (LockBusy, OSError) as error:
        raise Refused(f"The login cannot be kept: {error}.") from None
    return grant


def _scope(resource: Resource, server: Server) -> str:
    """What the gateway names, who the person is, and to stay without them, where that is known
    (MCP 2026-07-28, Scope Selection Strategy and Refresh Tokens)."""
    ours = [s for s in ("openid", "offline_access") if s in server.scopes_supported]
    return " ".join(dict.fromkeys([*ours, *resource.scopes_supported]))


async def sign_out(gateway: str, store: LoginStore, fetch: Fetch) -> tuple[Grant, bool] | None:
    """What was kept, and whether its server has taken it back; None where nothing was. It is
    forgotten here in either case. Raises ``Refused``."""
    try:
        async with locked(store.lock):
            grant = store.get(gateway)
            if grant is None:
                return None
            try:
                revoked = await revoke(grant, fetch)
            except FetchFailed:
                revoked = False
            store.forget(gateway)
            return grant, revoked
    except (LockBusy, OSError) as error:
        raise Refused(f"The login cannot be changed: {error}.") from None


def state_of(grant: Grant, now: float) -> State:
    if not grant.expires or grant.expires > now:
        return "active"
    return "renewable" if grant.refresh_token else "expired"
