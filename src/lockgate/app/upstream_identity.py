"""Where the gateway's identity towards upstreams is put together: tokens, accounts, the fetcher."""

import secrets
import time
from collections.abc import Callable

from lockgate.app.settings import Settings
from lockgate.app.settings_credential import ClientSettings, CredentialSettings, UpstreamTls
from lockgate.model.fetch import FetchFailed
from lockgate.pipeline.ports import Sealer
from lockgate.upstream.accounts import Accounts, ConnectedAccounts
from lockgate.upstream.catalogue import Registry
from lockgate.upstream.connecting import CALLBACK, CONNECT, Connecting
from lockgate.upstream.credential import Credential
from lockgate.upstream.credentials import Credentials
from lockgate.upstream.fetch import Fetcher, Reach, origin_of
from lockgate.upstream.oauth_clients import OAuthClients
from lockgate.upstream.oauth_servers import OAuthServers
from lockgate.upstream.oauth_token import Clock, OAuthClient
from lockgate.upstream.rfc8693_exchange import SubjectToken, SubjectTokens
from lockgate.upstream.sources import ClientCredentials, Exchange, IdJag
from lockgate.upstream.target import Tls

DOCUMENT = f"{CONNECT}/client.json"
_KIND = "urn:ietf:params:oauth:token-type:"


class Subjects:
    """Satisfies ``SubjectTokens`` by asking whoever authenticates, once that is set."""

    def __init__(self) -> None:
        self.ask: Callable[[str, str], SubjectToken | None] = lambda *_: None

    def token_of(self, holder: str, kind: str) -> SubjectToken | None:
        return self.ask(holder, kind)


class UpstreamIdentity:
    """As whom this worker comes to upstreams. ``reach`` and ``base`` are replaced on reload."""

    def __init__(self, accounts: Accounts, sealer: Sealer, registry: Registry) -> None:
        self.reach = Reach()
        self.base = ""
        """The gateway's own origin, as browsers reach it."""
        self.subjects = Subjects()
        self.accounts = accounts
        self.fetch = Fetcher(lambda: self.reach)
        clock = Clock(now_seconds, lambda: secrets.token_urlsafe(32))
        servers = OAuthServers(self.fetch, clock)
        self.clients = OAuthClients(
            self.fetch, lambda: self.base, redirect=CALLBACK, document=DOCUMENT
        )
        self.connecting = Connecting(
            registry.get, servers, self.clients, accounts, sealer, clock, lambda: self.base
        )
        subjects: SubjectTokens = self.subjects
        self.connected = ConnectedAccounts(accounts, servers, self.connecting.invite, clock.now)
        self.credentials = Credentials(
            {
                "client_credentials": ClientCredentials(servers),
                "exchange": Exchange(servers, subjects),
                "id_jag": IdJag(servers, subjects),
                "account": self.connected,
            },
            clock.now,
        )

    def forget(self, gone: Callable[[str], bool]) -> None:
        """Keep in memory no token of those principals of whose id ``gone`` is true."""
        for one in (self.credentials, self.connected):
            for holder in filter(gone, one.holders()):
                one.forget(holder)


def reach_of(settings: Settings, resolved: Callable[[str], str]) -> Reach:
    """What may be asked: upstreams that demand tokens, and the issuers of these."""
    named: list[str] = list(settings.fetch.origins)
    for one in settings.upstreams.values():
        if one.credential is None or one.credential.mode in ("none", "static"):
            continue
        provider = one.credential.provider
        named += [resolved(one.url or ""), one.credential.issuer]
        named += [provider.issuer] if provider else []
    internal = _origins(settings.fetch.internal)
    return Reach(_origins(named), internal)


def exchanges(settings: Settings) -> bool:
    """Whether any upstream is to be reached with a token made from the person's own."""
    modes = (one.credential.mode for one in settings.upstreams.values() if one.credential)
    return any(mode in ("exchange", "id_jag") for mode in modes)


def _origins(urls: "tuple[str, ...] | list[str]") -> frozenset[str]:
    found = set()
    for url in filter(None, urls):
        try:
            found.add(origin_of(url))
        except FetchFailed:
            continue
    return frozenset(found)


def credential_of(one: CredentialSettings | None, resolved: Callable[[str], str]) -> Credential:
    """Raises ``ReferenceBroken`` for a secret that cannot be had."""
    if one is None:
        return Credential()
    return Credential(
        mode=one.mode,
        issuer=one.issuer,
        client=_client(one.client, resolved),
        scopes=one.scopes,
        audience=one.audience,
        resource=one.resource,
        idp_issuer=one.provider.issuer if one.provider else "",
        idp_client=_client(one.provider.client, resolved) if one.provider else OAuthClient(""),
        subject_type=_KIND + one.subject_token if one.subject_token else "",
    )


def _client(one: ClientSettings, resolved: Callable[[str], str]) -> OAuthClient:
    secret = resolved(one.secret) if one.secret else ""
    key = resolved(one.private_key) if one.private_key else ""
    return OAuthClient(one.id, secret, key, one.auth)


def tls_of(one: UpstreamTls | None) -> Tls:
    return Tls(one.certificate, one.key, one.authorities) if one else Tls()


def now_seconds() -> int:
    return int(time.time())
