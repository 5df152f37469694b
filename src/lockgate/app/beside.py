"""What one listening socket serves: ``/mcp``, and what stands beside it at paths of its own."""

import secrets
from collections.abc import Callable
from typing import Any

from lockgate.app.connect_pages import pages_of
from lockgate.app.console_door import Joined
from lockgate.app.edge import Edge
from lockgate.app.gateway import Gateway
from lockgate.app.ingress_http import Ingress
from lockgate.app.logout import PATH as LOGOUT
from lockgate.app.logout import Logout
from lockgate.app.previews import Previews, Stands
from lockgate.app.protected_resource import WELL_KNOWN, ProtectedResource
from lockgate.app.settings import Settings
from lockgate.app.settings_maps import previews
from lockgate.app.stamps import now_ms
from lockgate.app.stores import loaded
from lockgate.app.wiring import Plant
from lockgate.approval.payload import StoredCall
from lockgate.control_plane.console.ending import SessionsEnd
from lockgate.control_plane.services.acting import Actor
from lockgate.control_plane.services.logouts import Logouts
from lockgate.control_plane.services.tokens import Tokens
from lockgate.identity.logout_token import LoggedOut, LogoutCheck
from lockgate.identity.refusal import AuthRefusal
from lockgate.store.console_sessions import StoredConsoleSessions


def ingress_of(
    plant: Plant,
    gateway: Gateway,
    edge: Edge,
    refused: Callable[[str, str], None],
    health: Callable[[], dict[str, Any]],
    settings: Callable[[], Settings],
) -> Ingress:
    """With all that is served beside ``/mcp``. Raises ``ReferenceBroken`` and ``StoreDown``."""
    known = plant.identities
    resource = ProtectedResource(
        lambda: known.issuers, known.nonces, now_ms,
        lambda: known.authenticator.workloads.accepted,
    )  # fmt: skip
    logouts = logouts_of(plant, settings().console.issuer or "")
    beside = {WELL_KNOWN: resource.answer, LOGOUT: Logout(logouts).answer}
    ingress = Ingress(
        gateway, edge, plant.authenticator, refused, health, plant.brake, resource, beside
    )
    pages = pages_of(plant)
    if (joined := console_of(plant, gateway, settings, logouts, refused)) is not None:
        ingress.console, pages.visitors = joined.application, joined.visitors
        ingress.news = joined.news
    ingress.pages = pages.app
    return ingress


def console_of(
    plant: Plant,
    gateway: Gateway,
    settings: Callable[[], Settings],
    logouts: Logouts,
    refused: Callable[[str, str], None],
) -> Joined | None:
    """The console, where the settings ask for one: only then what it is made of is loaded.

    Raises ``ReferenceBroken`` and ``StoreDown``.
    """
    if settings().console.issuer is None:
        return None
    asked = Previews(
        lambda: previews(settings()), lambda: gateway.state, plant.tools, stands_of(plant)
    )
    room = loaded("lockgate.app.console")
    made: Joined = room.console_for(plant, settings, logouts, refused, asked)
    return made


def stands_of(plant: Plant) -> Stands:
    def stands(held: StoredCall, asked: int) -> bool:
        peer, later = held.envelope.peer, plant.authenticator.later
        return not isinstance(later(held.principal, asked, peer, now_ms()), AuthRefusal)

    return stands


def logouts_of(plant: Plant, console: str) -> Logouts:
    """``console``: URL of the issuer where administrators sign in; empty: nowhere."""
    known, events, random = plant.identities, plant.stores.events, secrets.token_bytes
    actor = Actor("", "back-channel logout")
    tokens = Tokens(plant.revocations, events, {}, actor, now_ms, random)

    def end_tokens(said: LoggedOut, _: str) -> None:
        if said.issuer.url in known.issuers:
            for one in said.revocations():
                tokens.add(one)
            plant.revocations.refresh(now_ms())

    sessions = StoredConsoleSessions(plant.stores.engine)
    end_sessions = SessionsEnd(console, sessions, events, now_ms, random)
    check = LogoutCheck(lambda: known.vouching, known.keys)
    return Logouts(check, (end_tokens, end_sessions), now_ms)
