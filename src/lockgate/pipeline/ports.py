"""What the pipeline needs from outside. ``app/wiring.py`` joins adapters to these ports."""

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from lockgate.approval.desk import Found, Held
from lockgate.model import AuditEvent, Call, Decision, Permit, Principal, Release, Reply
from lockgate.model.inquiry import Kept
from lockgate.upstream.link import Hears


class Client(Protocol):
    """Whoever waits for the answer of a running call."""

    def deliver(self, release: Release) -> None:
        """Pass on an inspected notification. Never blocks."""
        ...

    async def ask(self, permit: Permit) -> Reply:
        """Put a permitted server-to-client request, and wait for what a person says to it.

        Raises ``model.SendFailed`` with an ``ask.`` reason.
        """
        ...


class Source(Protocol):
    """Learns one fact. Whatever it raises becomes ``Unknown``."""

    def learn(self, call: Call) -> Any | Awaitable[Any]: ...

    def settle(self, value: Any) -> None:
        """The call this fact was learnt for is over: give back what was reserved."""
        ...


class Journal(Protocol):
    """Raises ``model.JournalDown`` when an event cannot be made durable."""

    @property
    def healthy(self) -> bool:
        """False where nothing should be noted that can be left out."""
        ...

    async def commit(self, event: AuditEvent) -> None:
        """Return only when ``event`` is durable."""
        ...

    def note(self, event: AuditEvent) -> None:
        """Record with the next batch. Never blocks; what is noted is written before shutdown."""
        ...


class Sender(Protocol):
    async def send(self, permit: Permit, hears: Hears) -> Reply:
        """Forward once. Raises ``model.SendFailed``; cancelling it cancels the call upstream."""
        ...


class Approvals(Protocol):
    async def consume(self, ids: Sequence[str]) -> bool:
        """Use each once, all in one atomic step; False if any was used or withdrawn meanwhile."""
        ...


class Desk(Protocol):
    """Where people are asked. Raises ``model.StoreDown``."""

    async def hold(self, call: Call, decision: Decision) -> Held:
        """Ask, or find what was asked before about the same, or what came of it."""
        ...

    async def join(self, ids: Sequence[str]) -> Held:
        """Somebody else has used these meanwhile: what comes of it, if it comes soon."""
        ...

    async def look(self, id: str, who: Principal) -> Found | None:
        """What became of a question of theirs; None where it is none, or kept no more."""
        ...

    async def finish(self, ids: Sequence[str], why: str, kept: Kept | None) -> None:
        """The call that used these is over, for the reason ``why``; ``kept``: what was let out."""
        ...


class Sealer(Protocol):
    """Authenticated encryption of small values that travel through a client."""

    def seal(self, purpose: str, value: bytes) -> str:
        """URL-safe token. ``purpose`` is bound to it: a cursor never opens as a session."""
        ...

    def open(self, purpose: str, token: str) -> bytes | None:
        """The value, or None for anything this deployment did not seal for this purpose."""
        ...
