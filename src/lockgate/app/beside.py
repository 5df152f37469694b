"""What one listening socket serves: ``/mcp``, and what stands beside it at paths of its own."""

import secrets
from collections.abc import Callable
from typing import Any

from lockgate.app.connect_pages import pages_of
from lockgate.app.edge import Edge
from lockgate.app.exchange import Application
from lockgate.app.gateway import Gateway
from lockgate.app.ingress_http import Ingress
from lockgate.app.logout import PATH as LOGOUT
from lockgate.app.logout import Logout
from lockgate.app.protected_resource import WELL_KNOWN, ProtectedResource
from lockgate.app.settings import Settings
from lockgate.app.stamps import now_ms
from lockgate.app.stores import loaded
from lockgate.app.wiring import Plant
from lockgate.control_plane.services.tokens import Tokens
from lockgate.identity.logout_token import LogoutCheck


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
    beside = {WELL_KNOWN: resource.answer, LOGOUT: logout_of(plant).answer}
    ingress = Ingress(
        gateway, edge, plant.authenticator, refused, health, plant.brake, resource, beside
    )
    ingress.console = console_of(plant, settings, refused)
    ingress.pages = pages_of(plant).app
    return ingress


def console_of(
    plant: Plant, settings: Callable[[], Settings], refused: Callable[[str, str], None]
) -> Application | None:
    """The console, where the settings ask for one: only then what it is made of is loaded.

    Raises ``ReferenceBroken`` and ``StoreDown``.
    """
    if settings().console.issuer is None:
        return None
    made: Application = loaded("lockgate.app.console").console_for(plant, settings, refused)
    return made


def logout_of(plant: Plant) -> Logout:
    actor = {"via": "back-channel logout"}
    tokens = Tokens(plant.revocations, plant.stores.events, {}, actor, now_ms, secrets.token_bytes)
    check = LogoutCheck(lambda: plant.identities.issuers, plant.identities.keys)
    return Logout(check, tokens, lambda: plant.revocations.refresh(now_ms()), now_ms)
