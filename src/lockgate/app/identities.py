"""Step 3, put together: what it needs of stores and settings, and what a reload replaces."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from lockgate.app.settings import Settings
from lockgate.app.settings_admin import Console
from lockgate.app.settings_issuers import IntrospectionSettings, IssuerSettings, namespace_of
from lockgate.app.settings_kinds import is_loopback, split_url
from lockgate.identity.access_token import Accepted
from lockgate.identity.api_key import KeyBook, KeyCheck
from lockgate.identity.authenticate import Authenticator
from lockgate.identity.bearer_token import TokenCheck
from lockgate.identity.dpop import Nonces, ProofCheck, Replays
from lockgate.identity.introspection import Introspector
from lockgate.identity.issuer import Client, Introspection, Issuer
from lockgate.identity.key_sets import KeySets
from lockgate.identity.key_uses import KeyUses
from lockgate.identity.metadata import Metadata
from lockgate.identity.profiles import PROFILES
from lockgate.model.revocation import Revocation
from lockgate.store.revocations import MemoryRevocations, StoredRevocations
from lockgate.upstream.fetch import Fetcher, Reach, origin_of

ENDPOINT = "/mcp"

Resolve = Callable[[str], str]
"""A secret by its reference. Raises ``ReferenceBroken``."""


class Identities:
    """``pepper``: the deployment's secret. ``console``: where browsers sign in, until the next
    start. What is in force: ``issuers`` of access tokens by URL; ``vouching``, all whose word on
    who signed in or out counts; and ``reach``."""

    def __init__(
        self,
        book: KeyBook,
        uses: KeyUses,
        pepper: bytes,
        revocations: StoredRevocations | MemoryRevocations,
        replays: Replays,
        console: Console = Console(),  # noqa: B008 - closed, and never changed
    ) -> None:
        self._console = console
        self.issuers: Mapping[str, Issuer] = {}
        self.vouching = vouching(self.issuers, console)
        self._reach = Reach(internal=console_origins(console))
        self.nonces = Nonces(pepper)
        self.fetch = Fetcher(lambda: self._reach)
        self.metadata = Metadata(self.fetch, time.monotonic)
        self.keys = KeySets(self.fetch, _read, self.metadata, time.monotonic)
        tokens = TokenCheck(
            lambda: self.issuers, self.keys, Introspector(self.fetch), Denied(revocations)
        )
        proofs = ProofCheck(replays, self.nonces)
        self.authenticator = Authenticator(
            KeyCheck(book, pepper, uses), tokens, proofs, lambda: self.issuers, resources
        )

    def replace(self, issuers: Mapping[str, Issuer], reach: Reach) -> None:
        """Tokens and keys that were looked at under others are looked at again."""
        if issuers != self.issuers:
            self.issuers = issuers
            self.vouching = vouching(issuers, self._console)
            self.keys.forget()
        inside = reach.internal | console_origins(self._console)
        self._reach = msgspec.structs.replace(reach, internal=inside)


class Denied:
    """Satisfies ``identity.bearer_token.Revocations``."""

    def __init__(self, revocations: StoredRevocations | MemoryRevocations) -> None:
        self._rows = revocations

    def fresh(self, now_ms: int) -> bool:
        return self._rows.fresh(now_ms)

    @property
    def version(self) -> int:
        return self._rows.version

    def revoked(self, token: Accepted) -> bool:
        named = (("token", token.token_id), ("session", token.session), ("subject", token.subject))
        found = (self._rows.find(kind, token.issuer, value) for kind, value in named if value)
        return any(one is not None and _covers(one, token) for one in found)


def _covers(one: Revocation, token: Accepted) -> bool:
    # A token that does not say when it was issued may have been issued before.
    return one.kind != "subject" or token.issued * 1_000 <= one.before


def resources(url: str) -> frozenset[str]:
    """What a token that is sent to ``url`` may be meant for (RFC 8707): the whole gateway, or this
    endpoint of it. A slash at the end is no other resource."""
    parts = urlsplit(url)
    named = {f"{parts.scheme}://{parts.netloc}{ENDPOINT}", url.rstrip("/")}
    return frozenset(named | {f"{one}/" for one in named})


def issuers_of(settings: Settings, resolved: Resolve) -> dict[str, Issuer]:
    """By URL. Raises ``ReferenceBroken``."""
    return {one.url: _issuer(name, one, resolved) for name, one in settings.issuers.items()}


def reach_of(settings: Settings) -> Reach:
    """Which servers may be asked for metadata and keys."""
    outside: set[str] = set()
    inside: set[str] = set()
    for one in settings.issuers.values():
        asked = one.introspection.url if one.introspection else None
        urls = {origin_of(url) for url in (one.url, one.keys_url, asked) if url} | one.origins
        local = {url for url in urls if is_loopback(split_url(url).hostname)}
        inside |= urls if one.internal else local
        outside |= urls
    return Reach(frozenset(outside), frozenset(inside))


def vouching(issuers: Mapping[str, Issuer], console: Console) -> Mapping[str, Issuer]:
    """With the console's issuer, which knows this gateway as a client of its own. Where it is not
    among ``issuers`` it names people without a namespace, and no access token of it counts."""
    if console.issuer is None:
        return issuers
    found = issuers.get(console.issuer, Issuer("console", console.issuer, PROFILES["generic"]))
    clients = {console.client_id: Client(), **found.clients}
    return {**issuers, found.url: msgspec.structs.replace(found, clients=clients)}


def console_origins(console: Console) -> frozenset[str]:
    """The operator named these, so they may be in the company's own network."""
    named = (console.issuer, *console.provider_origins) if console.issuer else ()
    return frozenset(map(origin_of, named))


def _issuer(name: str, one: IssuerSettings, resolved: Resolve) -> Issuer:
    return Issuer(
        name=name, url=one.url, profile=PROFILES[one.profile], audiences=one.audiences,
        keys_url=one.keys_url or "", keys_file=one.keys_file or "",
        introspection=_introspection(one.introspection, resolved),
        namespace=namespace_of(name, one),
        clients={
            client: Client(known.agent or "", known.owner or "", known.workload or "")
            for client, known in one.clients.items()
        },
        only_known_clients=one.only_known_clients,
        scopes=one.scopes, implied=one.implied_scopes, roles=one.roles, mfa=one.mfa,
        leeway_seconds=one.leeway_seconds,
    )  # fmt: skip


def _introspection(place: IntrospectionSettings | None, resolved: Resolve) -> Introspection | None:
    if place is None:
        return None
    secret = resolved(place.secret) if place.secret else ""
    return Introspection(place.url, place.client or "", secret)


def _read(path: str) -> bytes:
    return Path(path).read_bytes()
