"""What each session wants to be told: its log level and its subscriptions. Every worker knows."""

import asyncio
from collections.abc import Callable
from weakref import WeakValueDictionary

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
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

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
        """One after the other: each starts from what the one before has written."""
        turn = self._turns.setdefault(session.id, asyncio.Lock())
        async with turn:
            changed = change(self._states.load(session.id))
            await self._states.save(session.id, changed, self._expires(session))
            return changed


def _with(held: SessionState, uris: frozenset[str]) -> SessionState:
    return msgspec.structs.replace(held, subscribed=uris)
