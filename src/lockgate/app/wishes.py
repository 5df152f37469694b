"""What each session wants to be told: its log level and its subscriptions. Every worker knows."""

from collections.abc import Awaitable, Callable

import msgspec

from lockgate.model import Session, SessionState, StoreDown
from lockgate.pipeline.sessions import SessionStates
from lockgate.wire import meta
from lockgate.wire.refusal import WireRefusal

MOST_URIS = 64
"""Subscriptions of one session, or of one listen."""
DEFAULT_LEVEL = "info"
"""Of log messages, for a legacy session that has not said which it wants: it is up to the server
then (MCP 2025-11-25, Logging)."""


class Wishes:
    """``expires``: when a session ends by itself."""

    def __init__(self, states: SessionStates, expires: Callable[[Session], int]) -> None:
        self._states = states
        self._expires = expires
        self.told: Callable[[str], Awaitable[None]] = _nobody
        """Lets other workers know that this session set something; returns when they do."""

    async def renew(self) -> None:
        """Know what was set in other workers until now. Raises ``StoreDown``."""
        await self._states.renew()

    def level(self, session_id: str) -> str:
        """The least severe log message it wants; empty (none) where nobody can say."""
        try:
            return self._states.load(session_id).level or DEFAULT_LEVEL
        except StoreDown:
            return ""

    def uris(self, session_id: str) -> frozenset[str]:
        """What it is subscribed to. Raises ``StoreDown``."""
        return self._states.load(session_id).subscribed

    async def set_level(self, session: Session, level: object) -> None:
        """Raises ``WireRefusal`` ``wire.bad-params``, and ``StoreDown``."""
        if level not in meta.LEVELS:
            raise WireRefusal("wire.bad-params", "level is not one of RFC 5424")
        await self._change(session, lambda held: msgspec.structs.replace(held, level=level))

    def check_room(self, session: Session, uri: str) -> None:
        """Raises ``WireRefusal`` ``subscription.too-many``, and ``StoreDown``."""
        held = self.uris(session.id)
        if uri not in held and len(held) >= MOST_URIS:
            raise WireRefusal("subscription.too-many")

    async def add(self, session: Session, uri: str) -> None:
        """Raises ``StoreDown``."""
        await self._change(session, lambda held: _with(held, held.subscribed | {uri}))

    async def remove(self, session: Session, uri: str) -> frozenset[str]:
        """What is left. Raises ``StoreDown``."""
        held = await self._change(session, lambda held: _with(held, held.subscribed - {uri}))
        return held.subscribed

    async def _change(
        self, session: Session, change: Callable[[SessionState], SessionState]
    ) -> SessionState:
        changed = await self._states.change(session.id, change, self._expires(session))
        await self.told(session.id)
        return changed


def _with(held: SessionState, uris: frozenset[str]) -> SessionState:
    return msgspec.structs.replace(held, subscribed=uris)


async def _nobody(_: str) -> None:
    """There is no other worker."""
