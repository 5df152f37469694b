"""What people who have left had connected at upstreams: ended where it was given, and deleted.

They are refused before this and without it. An account is one worker's at a time, by the same lease
as its renewal; what that one does not finish another does, once the lease has run out.
"""

import asyncio
import logging
import secrets

from lockgate.app.stamps import now_ms
from lockgate.app.wiring import Plant
from lockgate.control_plane.services.accounts import ConnectedAccounts, Revoked
from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.model import Account, StoreDown
from lockgate.upstream.accounts import LEASE_SECONDS
from lockgate.upstream.oauth_metadata import OAuthFailed

log = logging.getLogger("lockgate.departures")

DEPARTED_SECONDS = 1.0
"""From one look whether somebody has left to the next. Only then are accounts read."""
AGAIN_MS = 60_000
"""Nor are they older: somebody who had left may have connected one since."""
REVOKE_SECONDS = 10.0
"""For a server to end what it gave. It must leave time of the lease to delete the account."""
_AT_ONCE = 8


class Departures:
    """Of one worker."""

    def __init__(self, plant: Plant, patience: float = REVOKE_SECONDS) -> None:
        self._plant = plant
        self._patience = patience
        actor, events = Actor("lockgate", "departure"), plant.stores.events
        acting = Acting(actor, events, now_ms, secrets.token_bytes)
        self._accounts = ConnectedAccounts(plant.accounts, acting)
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._seen: int | None = None
        """Version of the directory whose leavers have no accounts any more."""
        self._looked = 0

    async def look(self) -> None:
        """Raises ``StoreDown`` and ``EventRefused``: then it is all looked at again."""
        version, now = self._plant.directory.version, now_ms()
        if version == self._seen and abs(now - self._looked) < AGAIN_MS:
            return
        self._plant.upstream_identity.forget(self._has_left)
        known = await asyncio.to_thread(self._plant.accounts.list)
        theirs = [one for one in known if self._has_left(one.principal)]
        ended = await asyncio.gather(*map(self._end, theirs), return_exceptions=True)
        for failed in ended:
            if isinstance(failed, BaseException):
                raise failed
        if all(ended):
            self._seen, self._looked = version, now

    def _has_left(self, principal: str) -> bool:
        """A service's accounts stay: who answers for it may be somebody else tomorrow."""
        kind, _, name = principal.partition(":")
        return kind == "person" and self._plant.authenticator.left(name)

    async def _end(self, one: Account) -> bool:
        """False where another worker has it, or has changed it: it is looked at again."""
        async with self._turn:
            if not await self._plant.accounts.lease(one, now_ms() + LEASE_SECONDS * 1000):
                return False
            revoked = await self._revoked(one)
            await asyncio.to_thread(self._accounts.end, one, revoked)
            return True

    async def _revoked(self, one: Account) -> Revoked:
        try:
            async with asyncio.timeout(self._patience):
                account = await self._plant.accounts.get(one.principal, one.upstream)
                if account is None:
                    return "not asked"
                registered = self._plant.registry.get(one.upstream)
                target = registered.target if registered else None
                revoke = self._plant.upstream_identity.connected.revoke
                return "done" if await revoke(account, target) else "not offered"
        except (OAuthFailed, StoreDown, TimeoutError) as failed:
            log.warning("an account at %s was not revoked at its issuer: %s", one.upstream, failed)
            return "failed"
