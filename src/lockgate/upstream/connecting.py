"""Connecting a person's own account at an upstream: from a link to tokens that are kept for them.

OAuth 2.1 authorization code with PKCE S256, ``resource`` (RFC 8707) and the issuer of the response
checked (RFC 9207). One client of ours serves many people, so consent is asked here first, and never
taken from an earlier one (MCP 2026-07-28, Security Best Practices, "Confused Deputy"). All that is
remembered between two pages travels sealed, and is bound to the principal, to the browser, and to a
few minutes.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from lockgate.model import Account, StoreDown
from lockgate.upstream.accounts import Accounts, Kept, client_of, place_of, renewed
from lockgate.upstream.oauth_clients import OAuthClients
from lockgate.upstream.oauth_metadata import OAuthFailed, Server, check_browser_may_go
from lockgate.upstream.oauth_servers import Authority, OAuthServers
from lockgate.upstream.oauth_token import Clock, OAuthClient, Token
from lockgate.upstream.sources import target_of
from lockgate.upstream.target import HttpTarget, Registered

LINK_SECONDS = 600
"""How long a link is good, and how long a person may take at the authorization server."""
CONNECT, CALLBACK = "/connect", "/connect/callback"
_TICKET, _STATE = "connect-ticket", "connect-state"

T = TypeVar("T")


class Seals(Protocol):
    """``pipeline.ports.Sealer``."""

    def seal(self, purpose: str, value: bytes) -> str: ...

    def open(self, purpose: str, token: str) -> bytes | None: ...


class ConnectRefused(Exception):
    """``reason`` is a catalogue code under ``connect.``; the text is for operators."""

    def __init__(self, reason: str, why: str = "") -> None:
        super().__init__(f"{reason}: {why}")
        self.reason = reason


class Ticket(msgspec.Struct, frozen=True):
    """What a link says: who may connect what."""

    holder: str
    upstream: str
    scopes: tuple[str, ...]
    nonce: str
    expires: int


class Offer(msgspec.Struct, frozen=True):
    """What a person is asked to agree to."""

    ticket: Ticket
    url: str
    """Of the upstream; shown without what may be secret in it."""
    issuer: str
    scopes: tuple[str, ...]
    redirect_uri: str


class _State(msgspec.Struct, frozen=True):
    """What must be the same when the browser comes back."""

    ticket: Ticket
    browser: str
    issuer: str
    resource: str
    place: str
    redirect_uri: str
    verifier: str
    client: OAuthClient
    scopes: tuple[str, ...]
    nonce: str
    expires: int


class Connecting:
    def __init__(
        self,
        find: Callable[[str], Registered | None],
        servers: OAuthServers,
        clients: OAuthClients,
        store: Accounts,
        seals: Seals,
        clock: Clock,
        base: Callable[[], str],
    ) -> None:
        """``find`` knows the upstreams; ``base``: the gateway's own origin as browsers reach it."""
        self._find = find
        self._servers = servers
        self._clients = clients
        self._store = store
        self._seals = seals
        self._clock = clock
        self._base = base

    def invite(self, holder: str, upstream: str, scopes: tuple[str, ...] = ()) -> str:
        """What whoever called is told: a link that only they were given."""
        return f"Open <{self.link(holder, upstream, scopes)}> within {LINK_SECONDS // 60} minutes"

    def link(self, holder: str, upstream: str, scopes: tuple[str, ...] = ()) -> str:
        expires = self._clock.now() + LINK_SECONDS
        ticket = Ticket(holder, upstream, scopes, self._clock.nonce(), expires)
        sealed = self._seals.seal(_TICKET, msgspec.json.encode(ticket))
        return f"{self._base()}{CONNECT}?{urlencode({'ticket': sealed})}"

    async def offer(self, ticket: str) -> Offer:
        """What the page shows before anything is sent anywhere. Raises ``ConnectRefused``."""
        found = self._open(_TICKET, ticket, Ticket)
        registered = self._registered(found.upstream)
        authority = await self._authority(registered)
        scopes = tuple(dict.fromkeys((*authority.scopes, *found.scopes)))
        issuer = authority.server.issuer
        return Offer(found, target_of(registered).url, issuer, scopes, self._redirect_uri)

    async def begin(self, offer: Offer, browser: str) -> str:
        """The person agreed: where their browser goes now. ``browser``: a secret that only this
        browser knows. Raises ``ConnectRefused``."""
        ticket = offer.ticket
        target = target_of(self._registered(ticket.upstream))
        authority = await self._authority(self._registered(ticket.upstream))
        try:
            check_browser_may_go(authority.server)
            client = await self._clients.of(target.credential.client, authority.server)
        except OAuthFailed as failed:
            raise self._failed(failed) from None
        await self._use(ticket.nonce, ticket.expires)
        verifier = self._clock.nonce() + self._clock.nonce()
        state = _State(
            ticket, _hash(browser), authority.server.issuer, authority.resource, place_of(target),
            offer.redirect_uri, verifier, _unconfigured(client, target), offer.scopes,
            self._clock.nonce(),
            self._clock.now() + LINK_SECONDS,
        )  # fmt: skip
        return _authorization_url(
            authority.server, state, self._seals.seal(_STATE, msgspec.json.encode(state))
        )

    async def finish(self, said: Mapping[str, str], browser: str, visitor: str | None) -> Account:
        """The browser is back, with the parameters that the authorization server gave it.
        ``visitor``: see ``check_visitor``. Raises ``ConnectRefused``."""
        state = self._open(_STATE, said.get("state", ""), _State)
        if not hmac.compare_digest(state.browser, _hash(browser)):
            raise ConnectRefused("connect.other-browser")
        check_visitor(state.ticket, visitor)
        await self._use(state.nonce, state.expires)
        target = target_of(self._registered(state.ticket.upstream))
        if state.place != place_of(target) or state.redirect_uri != self._redirect_uri:
            raise ConnectRefused("connect.link", "the configuration changed meanwhile")
        try:
            server = await self._servers.named(state.issuer)
            _check_issuer(server, said.get("iss"))
            if "code" not in said:
                raise ConnectRefused("connect.declined", state.issuer)
            token = await self._redeem(server, state, said["code"])
        except OAuthFailed as failed:
            raise self._failed(failed) from None
        return await self._keep(state, token)

    async def _redeem(self, server: Server, state: _State, code: str) -> Token:
        form = {
            "code": code,
            "redirect_uri": state.redirect_uri,
            "code_verifier": state.verifier,
            "resource": state.resource,
        }
        target = target_of(self._registered(state.ticket.upstream))
        endpoint = self._servers.endpoint(server, client_of(state.client, target))
        return await endpoint.ask("authorization_code", form)

    async def _keep(self, state: _State, token: Token) -> Account:
        ticket = state.ticket
        account = Account(
            principal=ticket.holder,
            upstream=ticket.upstream,
            issuer=state.issuer,
            place=state.place,
            scopes=state.scopes,
            connected=self._clock.now() * 1000,
        )
        account = renewed(account, Kept(token, state.client, state.resource))
        try:
            await self._store.put(account)
        except StoreDown as down:
            raise self._failed(down) from None
        return account

    @property
    def _redirect_uri(self) -> str:
        return self._base() + CALLBACK

    def _open(self, purpose: str, sealed: str, kind: type[T]) -> T:
        value = self._seals.open(purpose, sealed)
        found = msgspec.json.decode(value, type=kind) if value is not None else None
        if found is None or getattr(found, "expires", 0) <= self._clock.now():
            raise ConnectRefused("connect.link", "not sealed here, or too old")
        return found

    async def _use(self, nonce: str, expires: int) -> None:
        try:
            first = await self._store.use_once(nonce, expires * 1000)
        except StoreDown as down:
            raise self._failed(down) from None
        if not first:
            raise ConnectRefused("connect.used")

    def _registered(self, name: str) -> Registered:
        found = self._find(name)
        target = found.target if found else None
        if found is None or not isinstance(target, HttpTarget):
            raise ConnectRefused("connect.link", f"there is no upstream {name}")
        if target.credential.mode != "account":
            raise ConnectRefused("connect.link", f"{name} takes no accounts")
        return found

    async def _authority(self, registered: Registered) -> Authority:
        try:
            return await self._servers.of(target_of(registered))
        except OAuthFailed as failed:
            raise self._failed(failed) from None

    def _failed(self, why: Exception) -> ConnectRefused:
        return ConnectRefused("connect.failed", str(why))


def check_visitor(ticket: Ticket, visitor: str | None) -> None:
    """Nobody connects an account for somebody else. ``visitor``: id of the principal who is signed
    in in this browser; empty where nobody is; None where there is nowhere to sign in, and the link
    itself says who it is. Raises ``ConnectRefused``."""
    if visitor == "":
        raise ConnectRefused("connect.signed-out")
    if visitor is not None and visitor != ticket.holder:
        raise ConnectRefused("connect.other-person", f"{visitor} is signed in")


def _authorization_url(server: Server, state: _State, sealed: str) -> str:
    challenge = hashlib.sha256(state.verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": state.client.id,
        "redirect_uri": state.redirect_uri,
        "state": sealed,
        "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        "resource": state.resource,
    }
    if state.scopes:
        asked["scope"] = " ".join(state.scopes)
    if "offline_access" in state.scopes:  # OpenID Connect Core, section 11
        asked["prompt"] = "consent"
    at = server.authorization_endpoint
    return f"{at}{'&' if urlsplit(at).query else '?'}{urlencode(asked)}"


def _unconfigured(client: OAuthClient, target: HttpTarget) -> OAuthClient:
    """What is configured is not kept anywhere else: it may be rotated."""
    return OAuthClient(client.id) if client == target.credential.client else client


def _check_issuer(server: Server, said: str | None) -> None:
    """RFC 9207, section 2.4: compared as it is; missing only where it was never promised."""
    if said is None and not server.authorization_response_iss_parameter_supported:
        return
    if said != server.issuer:
        raise ConnectRefused("connect.mix-up", server.issuer)


def _hash(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()
