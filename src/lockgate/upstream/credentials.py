"""Access tokens for upstreams: had when needed, kept in memory until shortly before they expire."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from lockgate.model import SendFailed
from lockgate.upstream.challenge import challenge_of
from lockgate.upstream.credential import PERSONAL, Bearer, Mode, NoBearer
from lockgate.upstream.oauth_metadata import OAuthFailed
from lockgate.upstream.oauth_token import Token
from lockgate.upstream.target import HttpTarget, Registered

MARGIN_SECONDS = 30
"""Before its end a token is not used any more."""
LENT: frozenset[Mode] = frozenset({"exchange", "id_jag"})
"""Had with a token that only the worker has which the person came to."""
REMEMBERED = 10_000
"""Tokens kept. Over it the oldest goes, and is had again."""

Key = tuple[str, str, str]
"""Upstream, its fingerprint, and the principal's id (empty where all share it)."""


class Source(Protocol):
    """One way to an access token."""

    kept: bool
    """Whether a token may be used from memory until it expires; else it is asked for each time, so
    that it ends at once for all workers."""

    async def token(self, registered: Registered, holder: str, refused: str) -> Token:
        """``refused``: the access token that the upstream just refused, so that another is wanted.

        Raises ``OAuthFailed`` or ``SendFailed``.
        """
        ...

    async def lacks(self, registered: Registered, holder: str, scopes: tuple[str, ...]) -> None:
        """The upstream will not take our tokens, or not without these scopes (RFC 6750, section
        3.1). Raises ``SendFailed`` where a person can help, and nothing where nobody can."""
        ...


class Credentials:
    """All upstream tokens of this worker. No two principals ever share one."""

    def __init__(self, sources: Mapping[Mode, Source], now: Callable[[], int]) -> None:
        """``now``: seconds since the Unix epoch."""
        self._sources = sources
        self._now = now
        self._tokens: dict[Key, Token] = {}
        self._asking: dict[Key, asyncio.Task[Token]] = {}

    def bearer(self, registered: Registered, holder: str) -> Bearer:
        """``holder``: id of the principal whose link it is; empty on a shared link."""
        target = registered.target
        mode = target.credential.mode if isinstance(target, HttpTarget) else "none"
        source = self._sources.get(mode)
        if mode in ("none", "static"):
            return NoBearer()
        if source is None or (mode in PERSONAL and not holder):
            return _Nobody(mode)
        return _Bearer(self, source, registered, holder)

    async def lend(self, registered: Registered, holder: str, refused: str = "") -> Token | None:
        """The token for another worker that cannot have its own, as it has not met the person; None
        where it can. Raises ``SendFailed``."""
        target = registered.target
        mode = target.credential.mode if isinstance(target, HttpTarget) else "none"
        source = self._sources.get(mode)
        if source is None or mode not in LENT or not holder:
            return None
        return await self.take(source, registered, holder, refused)

    def borrow(self, registered: Registered, holder: str, token: Token) -> None:
        """Of another worker: used until it expires or is refused."""
        self._tokens[registered.name, registered.upstream.fingerprint, holder] = token

    def holders(self) -> frozenset[str]:
        """Whose tokens are in memory."""
        return frozenset(holder for _, _, holder in self._tokens if holder)

    def forget(self, holder: str) -> None:
        """This principal's tokens are not to be used any more."""
        for key in [key for key in self._tokens if key[2] == holder]:
            del self._tokens[key]

    async def take(
        self, source: Source, registered: Registered, holder: str, refused: str
    ) -> Token:
        """The access token. Several that need it wait for one request. Raises ``SendFailed``."""
        key = (registered.name, registered.upstream.fingerprint, holder)
        held = self._tokens.get(key)
        if held and held.access != refused and held.expires - MARGIN_SECONDS > self._now():
            return held
        running = self._asking.get(key)
        if running is not None:
            # None of those who wait may cancel it for the others.
            token = await asyncio.shield(running)
            if token.access != refused:
                return token
        asking = asyncio.create_task(self._fresh(key, source, registered, refused))
        self._asking[key] = asking
        asking.add_done_callback(lambda done: self._asked(key, done))
        return await asyncio.shield(asking)

    async def _fresh(self, key: Key, source: Source, registered: Registered, refused: str) -> Token:
        self._tokens.pop(key, None)
        try:
            token = await source.token(registered, key[2], refused)
        except OAuthFailed as failed:
            raise SendFailed("upstream.credential", str(failed)) from None
        if source.kept:
            self._tokens[key] = token
        while len(self._tokens) > REMEMBERED:
            del self._tokens[next(iter(self._tokens))]
        return token

    def _asked(self, key: Key, done: "asyncio.Task[Token]") -> None:
        if self._asking.get(key) is done:
            del self._asking[key]
        if not done.cancelled():
            done.exception()  # whoever waits is told; if all of them left, nobody need be


class _Bearer:
    def __init__(
        self, all_: Credentials, source: Source, registered: Registered, holder: str
    ) -> None:
        self._all = all_
        self._source = source
        self._registered = registered
        self._holder = holder
        self._refused = ""

    async def headers(self) -> Mapping[str, str]:
        token = await self._all.take(self._source, self._registered, self._holder, self._refused)
        return {"Authorization": f"Bearer {token.access}"}

    async def refused(self, sent: Mapping[str, str], challenge: str, *, again: bool) -> None:
        said = challenge_of(challenge)
        if again or said.get("error") == "insufficient_scope":
            scopes = tuple(said.get("scope", "").split())
            await self._source.lacks(self._registered, self._holder, scopes)
        self._refused = sent.get("Authorization", "").removeprefix("Bearer ")


class _Nobody:
    """There is no way to a token here, so that nothing is sent at all."""

    def __init__(self, mode: str) -> None:
        self._mode = mode

    async def headers(self) -> Mapping[str, str]:
        raise SendFailed("upstream.credential", f"no {self._mode} credential for this caller")

    async def refused(self, sent: Mapping[str, str], challenge: str, *, again: bool) -> None:
        """Nothing was sent."""
