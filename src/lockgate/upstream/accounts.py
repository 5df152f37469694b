"""Tokens of accounts that people connected, renewed by one worker at a time.

A refresh token that is used twice may end the whole grant (RFC 9700, section 4.14.2). So whoever
renews holds a lease on that very version of the account, in the database; the others wait for the
next version.
"""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Protocol

import msgspec

from lockgate.model import Account, SendFailed, StoreDown
from lockgate.upstream.credentials import MARGIN_SECONDS
from lockgate.upstream.oauth_metadata import OAuthFailed
from lockgate.upstream.oauth_servers import OAuthServers
from lockgate.upstream.oauth_token import OAuthClient, Token
from lockgate.upstream.sources import target_of
from lockgate.upstream.target import HttpTarget, Registered, Target

LEASE_SECONDS = 20
"""Longer than a request for a token can take: whoever holds one longer is gone."""
PATIENCE_SECONDS = 25.0
"""Of those who wait, so that they outlive a lease whose holder is gone."""
PAUSE_SECONDS = 0.05


class Accounts(Protocol):
    """Raises ``StoreDown``."""

    async def get(self, principal: str, upstream: str) -> Account | None: ...

    async def put(self, one: Account) -> None: ...

    async def lease(self, one: Account, until: int) -> bool: ...

    async def release(self, one: Account) -> None: ...

    async def renew(self, one: Account) -> bool: ...

    async def use_once(self, token: str, expires: int) -> bool: ...


class Kept(msgspec.Struct, frozen=True):
    """What an account's secret holds."""

    token: Token
    client: OAuthClient
    """As whom it was connected: only that client can renew it."""
    resource: str

    def __repr__(self) -> str:
        return f"Kept(client={self.client!r})"


_encode_kept = msgspec.json.Encoder().encode
_decode_kept = msgspec.json.Decoder(Kept).decode

Invite = Callable[[str, str, tuple[str, ...]], str]
"""What a principal is told who must connect an upstream with these scopes besides."""


class ConnectedAccounts:
    """Satisfies ``credentials.Source``."""

    kept = False

    def __init__(
        self, store: Accounts, servers: OAuthServers, invite: Invite, now: Callable[[], int]
    ) -> None:
        """``now``: seconds since the Unix epoch."""
        self._store = store
        self._servers = servers
        self._invite = invite
        self._now = now
        self._unsaved: dict[tuple[str, str], Account] = {}
        """Renewed, but the store was down: the old refresh token may be worth nothing any more."""

    async def token(self, registered: Registered, holder: str, refused: str) -> Token:
        """See ``Source``."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await self._usable(registered, holder, refused)
            if isinstance(found, Token):
                return found
            # Under no deadline but its own: given up halfway, the refresh token might be lost.
            return await self._renew(registered, *found)
        except TimeoutError:
            detail = "another worker does not finish renewing the account"
            raise SendFailed("upstream.credential", detail) from None
        except StoreDown as down:
            raise SendFailed("upstream.credential", str(down)) from None

    async def lacks(self, registered: Registered, holder: str, scopes: tuple[str, ...]) -> None:
        try:
            account = await self._store.get(holder, registered.name)
        except StoreDown as down:
            raise SendFailed("upstream.credential", str(down)) from None
        had = account.scopes if account else ()
        more = tuple(dict.fromkeys((*had, *scopes)))
        raise self._connect(registered, holder, "the upstream does not take its tokens", more)

    async def revoke(self, account: Account, target: Target | None) -> bool:
        """Have the server that gave its tokens end them (RFC 7009); false where that server has no
        way to. ``target``: what its upstream is now. Raises ``OAuthFailed``."""
        kept = _decode_kept(account.secret)
        client = kept.client
        if isinstance(target, HttpTarget):
            client = client_of(client, target)
        server = await self._servers.named(account.issuer)
        if not server.revocation_endpoint:
            return False
        endpoint, token = self._servers.endpoint(server, client), kept.token
        if token.refresh:
            await endpoint.revoke(token.refresh, "refresh_token")
        else:
            await endpoint.revoke(token.access, "access_token")
        return True

    def holders(self) -> frozenset[str]:
        """Whose tokens are in memory."""
        return frozenset(holder for holder, _ in self._unsaved)

    def forget(self, holder: str) -> None:
        for key in [key for key in self._unsaved if key[0] == holder]:
            del self._unsaved[key]

    async def _usable(
        self, registered: Registered, holder: str, refused: str
    ) -> Token | tuple[Account, Kept]:
        """A token, or the account that it is ours to renew."""
        while True:
            account = await self._account(registered, holder)
            kept = _decode_kept(account.secret)
            fresh = kept.token.expires - MARGIN_SECONDS > self._now()
            if fresh and kept.token.access != refused:
                return kept.token
            if not kept.token.refresh:
                why = "its token has expired, or was refused, and cannot be renewed"
                raise self._connect(registered, holder, why)
            if await self._store.lease(account, (self._now() + LEASE_SECONDS) * 1000):
                return account, kept
            await asyncio.sleep(PAUSE_SECONDS)

    async def _account(self, registered: Registered, holder: str) -> Account:
        """Raises ``SendFailed`` where it is not connected to what the upstream is now."""
        await self._save_unsaved(holder, registered.name)
        account = await self._store.get(holder, registered.name)
        target = target_of(registered)
        if account is None:
            raise self._connect(registered, holder, "not connected")
        if not _is_for(account, target):
            raise self._connect(registered, holder, "connected to what the upstream was before")
        if account.broken:
            raise self._connect(registered, holder, account.broken, account.scopes)
        return account

    async def _renew(self, registered: Registered, account: Account, kept: Kept) -> Token:
        client = client_of(kept.client, target_of(registered))
        server = await self._servers.named(account.issuer)
        form = {"refresh_token": kept.token.refresh, "resource": kept.resource}
        try:
            token = await self._servers.endpoint(server, client).ask("refresh_token", form)
        except OAuthFailed as failed:
            if failed.code == "invalid_grant":
                why = "its authorization ended, or was used by another"
                await self._store.renew(msgspec.structs.replace(account, broken=why))
                raise self._connect(registered, account.principal, why, account.scopes) from None
            await self._store.release(account)
            raise
        if not token.refresh:  # it stays good (RFC 6749, section 6)
            token = msgspec.structs.replace(token, refresh=kept.token.refresh)
        if not await self._save(renewed(account, Kept(token, kept.client, kept.resource))):
            raise self._connect(registered, account.principal, "disconnected meanwhile")
        return token

    async def _save(self, account: Account) -> bool:
        try:
            return await self._store.renew(account)
        except StoreDown:
            # Saved before the account is used again.
            self._unsaved[account.principal, account.upstream] = account
            raise

    async def _save_unsaved(self, holder: str, upstream: str) -> None:
        account = self._unsaved.get((holder, upstream))
        if account is not None:
            await self._store.renew(account)
            del self._unsaved[holder, upstream]

    def _connect(
        self, registered: Registered, holder: str, why: str, scopes: tuple[str, ...] = ()
    ) -> SendFailed:
        told = self._invite(holder, registered.name, scopes)
        return SendFailed("upstream.connect", why, told)


def renewed(account: Account, kept: Kept) -> Account:
    """With another token."""
    return msgspec.structs.replace(
        account,
        expires=kept.token.expires * 1000,
        secret=_encode_kept(kept),
        scopes=tuple(kept.token.scope.split()) or account.scopes,
    )


def client_of(kept: OAuthClient, target: HttpTarget) -> OAuthClient:
    """With its secret, where that is configured."""
    configured = target.credential.client
    return configured if configured.id == kept.id else kept


def place_of(target: HttpTarget) -> str:
    """What an account is for."""
    return hashlib.sha256(target.url.encode()).hexdigest()


def _is_for(account: Account, target: HttpTarget) -> bool:
    issuer = target.credential.issuer
    return account.place == place_of(target) and issuer in ("", account.issuer)
