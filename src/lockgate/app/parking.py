"""Calls that wait, between two requests of a modern client, for what the client says."""

import asyncio
import secrets
from collections import Counter

import msgspec

from lockgate.app.asking import ASK_SECONDS
from lockgate.app.clients import Conversation

MOST = 1_000
MOST_EACH = 32
"""Of one principal."""


class _Place(msgspec.Struct):
    holder: str
    conversation: Conversation
    expiry: asyncio.TimerHandle


class Parking:
    """One worker's. Whoever does not come back in time finds the call ended."""

    def __init__(self, seconds: float = ASK_SECONDS) -> None:
        self._seconds = seconds
        self._places: dict[str, _Place] = {}
        self._held: Counter[str] = Counter()

    @property
    def parked(self) -> int:
        return len(self._places)

    def park(self, conversation: Conversation, holder: str) -> str | None:
        """A name to take it back under; None, and the call is ended, where there is no room."""
        if len(self._places) >= MOST or self._held[holder] >= MOST_EACH:
            conversation.cancel()
            return None
        name = secrets.token_urlsafe(12)
        expiry = asyncio.get_running_loop().call_later(self._seconds, self._expire, name)
        self._places[name] = _Place(holder, conversation, expiry)
        self._held[holder] += 1
        return name

    def take(self, name: str, holder: str) -> Conversation | None:
        """Once: who comes second with the same answers finds nothing."""
        found = self._places.get(name)
        if found is None or found.holder != holder:
            return None
        self._leave(name)
        return found.conversation

    def end_all(self) -> None:
        """The gateway is stopping."""
        for name in list(self._places):
            self._expire(name)

    def _expire(self, name: str) -> None:
        conversation = self._places[name].conversation
        self._leave(name)
        conversation.cancel()

    def _leave(self, name: str) -> None:
        place = self._places.pop(name)
        place.expiry.cancel()
        self._held[place.holder] -= 1
        if not self._held[place.holder]:
            del self._held[place.holder]
