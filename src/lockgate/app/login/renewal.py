"""A person's token for one gateway, valid whenever it is asked for, without the person."""

import asyncio
from collections.abc import Callable

from lockgate.app.bearer import NotSignedIn
from lockgate.app.login.grant import Grant, GrantRefused, renew
from lockgate.app.login.lock import LockBusy, locked
from lockgate.app.login.store import LoginStore
from lockgate.control_plane.services.refused import Refused
from lockgate.model.fetch import Fetch, FetchFailed

AHEAD = 60.0
"""Seconds before its end that a token is renewed; at most a quarter of its life."""
SETTLED = 10.0
"""Seconds that a token must be old for a 401 to be its age's fault: younger ones are not renewed,
or a gateway that refuses a person would make each of its requests a token request."""
AGAIN = 5.0
"""Seconds after a renewal that failed before the next is tried while the token is still good."""
_LOG_IN = "Run `lockgate login`."


class LoginBearer:
    """What ``lockgate stdio`` shows.

    Several processes of one person share a login. Whoever finds the token old takes the lock, looks
    whether another has renewed it meanwhile, and only else renews: with rotating refresh tokens a
    second use of one would end the login (RFC 9700 section 4.14.2). What is new is kept before it
    is used.
    """

    def __init__(
        self, store: LoginStore, gateway: str, fetch: Fetch, now: Callable[[], float]
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._fetch = fetch
        self._now = now
        self._grant: Grant | None = None
        self._turn = asyncio.Lock()
        self._not_before = 0.0
        self._renewing: asyncio.Task[Grant] | None = None

    async def current(self) -> str:
        """Raises ``NotSignedIn``."""
        grant = self._grant
        if grant is not None and (not self._is_old(grant) or self._is_waiting(grant)):
            return grant.access_token
        async with self._turn:
            return (await self._good(self._is_old)).access_token

    async def instead_of(self, refused: str) -> str:
        """Another token after a 401; empty where renewing cannot help. Raises ``NotSignedIn``."""
        async with self._turn:
            grant = await self._good(lambda one: one.access_token == refused and self._settled(one))
        return "" if grant.access_token == refused else grant.access_token

    async def settle(self) -> None:
        """A renewal that the server has done and that nobody kept would end the login."""
        if self._renewing is not None:
            await asyncio.wait({self._renewing})

    async def _good(self, is_bad: Callable[[Grant], bool]) -> Grant:
        """Goes on where who asked does not wait for it any more."""
        self._renewing = asyncio.create_task(self._find(is_bad))
        self._renewing.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._renewing)

    async def _find(self, is_bad: Callable[[Grant], bool]) -> Grant:
        if self._grant is None or is_bad(self._grant):
            self._grant = await self._kept()
        if is_bad(self._grant):
            try:
                async with locked(self._store.lock):
                    self._grant = await self._kept()
                    if is_bad(self._grant):
                        self._grant = await self._renewed(self._grant)
            except (LockBusy, OSError) as error:
                raise NotSignedIn(f"The login cannot be renewed: {error}.") from None
        return self._grant

    async def _kept(self) -> Grant:
        try:
            found = await asyncio.to_thread(self._store.get, self._gateway)
        except Refused as refused:
            raise NotSignedIn(f"{refused.why} {refused.remedy}".strip()) from None
        if found is None:
            self._grant = None
            raise NotSignedIn(f"You are not signed in to {self._gateway}. {_LOG_IN}")
        return found

    async def _renewed(self, old: Grant) -> Grant:
        if not old.refresh_token:
            if self._ends(old) > self._now():
                return old
            raise NotSignedIn(f"Your login to {self._gateway} has ended. {_LOG_IN}")
        try:
            new = await renew(old, self._fetch, self._now())
        except GrantRefused as refused:
            if refused.error == "invalid_grant":
                # For good: others need not ask again.
                await self._keep(self._store.forget, self._gateway)
                self._grant = None
            raise NotSignedIn(
                f"Your login to {self._gateway} is not renewed ({refused.error}). {_LOG_IN}"
            ) from None
        except FetchFailed as failed:
            if self._ends(old) > self._now():
                self._not_before = self._now() + AGAIN
                return old
            raise NotSignedIn(f"Your login cannot be renewed: {failed}.") from None
        await self._keep(self._store.put, new)
        return new

    async def _keep(self, act: Callable[..., None], what: object) -> None:
        try:
            await asyncio.to_thread(act, what)
        except Refused as refused:
            raise NotSignedIn(f"{refused.why} {refused.remedy}".strip()) from None

    @staticmethod
    def _ends(grant: Grant) -> float:
        return grant.expires or float("inf")

    def _is_old(self, grant: Grant) -> bool:
        life = self._ends(grant) - grant.obtained
        return self._ends(grant) - min(AHEAD, life / 4) <= self._now()

    def _is_waiting(self, grant: Grant) -> bool:
        """A renewal has just failed, and the token is good still."""
        return self._ends(grant) > self._now() and self._now() < self._not_before

    def _settled(self, grant: Grant) -> bool:
        return self._now() - grant.obtained >= SETTLED
