"""The console joined to a gateway's stores, secrets and settings."""

from collections.abc import Callable
from os import urandom

from lockgate.app.console_door import Joined
from lockgate.app.news import News
from lockgate.app.previews import Previews
from lockgate.app.settings import Settings
from lockgate.app.settings_admin import Console, rules_of
from lockgate.app.stamps import now_ms
from lockgate.app.upstream_rows import UpstreamRows
from lockgate.app.wiring import Plant
from lockgate.control_plane.console.application import console
from lockgate.control_plane.console.backing import Backing
from lockgate.control_plane.console.provider import Client, Provider
from lockgate.control_plane.console.sessions import Sessions
from lockgate.control_plane.console.visitors import Visitors
from lockgate.control_plane.services.logouts import Logouts
from lockgate.identity.id_token import IdTokenCheck
from lockgate.store.calls import StoredCalls
from lockgate.store.console_sessions import StoredConsoleSessions
from lockgate.store.feed import StoredFeed
from lockgate.store.recovery import StoredRecovery


def console_for(
    plant: Plant,
    settings: Callable[[], Settings],
    logouts: Logouts,
    refused: Callable[[str, str], None],
    previews: Previews,
) -> Joined:
    """``settings``: those in force when asked. Raises ``ReferenceBroken`` and ``StoreDown``."""
    asked, stores = settings().console, plant.stores
    upstreams = UpstreamRows(plant, settings)
    news = News(StoredFeed(stores.engine), {"upstreams": upstreams.version})
    backing = Backing(
        provider=provider_of(plant, asked, asked.issuer or ""),
        sessions=Sessions(StoredConsoleSessions(stores.engine), plant.sealer, now_ms, urandom),
        recovery=StoredRecovery(stores.engine),
        events=stores.events,
        rules=lambda: rules_of(settings().admin),
        logouts=logouts,
        pepper=stores.secrets.pepper(),
        refused=refused,
        changes=news,
        inquiries=plant.inquiries,
        approvers=plant.approvers,
        previews=previews,
        calls=StoredCalls(stores.engine),
        keys=stores.keys,
        people=stores.people,
        upstreams=upstreams,
    )
    return Joined(console(backing), Visitors(backing), news)


def provider_of(plant: Plant, asked: Console, issuer: str) -> Provider:
    """Raises ``ReferenceBroken``."""
    known = plant.identities
    check = IdTokenCheck(lambda: known.vouching[issuer], asked.client_id, known.keys)
    client = client_of(asked, issuer, plant.resolved)
    return Provider(known.fetch, client, known.metadata, check, now_ms)


def client_of(asked: Console, issuer: str, resolved: Callable[[str], str]) -> Client:
    """Raises ``ReferenceBroken``."""
    secret = resolved(asked.client_secret) if asked.client_secret else ""
    return Client(issuer, asked.client_id, f"{asked.origin}/console/callback", secret.strip())
