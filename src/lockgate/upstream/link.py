"""A way to one upstream, whatever carries it."""

from typing import Protocol

import msgspec

from lockgate.model import Envelope, Terms, Tool
from lockgate.model.call import EraName


class Hears(Protocol):
    """Who asked, for as long as the request runs. What is heard belongs to this request only."""

    def note(self, method: str, params: bytes) -> None:
        """A notification: progress (without its ``progressToken``, which is ours) or a log
        message, with raw params. Never blocks."""
        ...

    async def ask(self, method: str, params: bytes, era: EraName) -> "LinkReply":
        """Put the upstream's own request to the client. Takes as long as a person takes: no
        deadline of the running request counts meanwhile. ``era``: the upstream's.
        ``is_error``: it was refused, and ``raw`` is the JSON-RPC error to say so."""
        ...


class Event(msgspec.Struct, frozen=True):
    """A notification that belongs to no request: a list changed, a resource was updated, a log
    message, ``notifications/elicitation/complete``."""

    upstream: str
    terms: Terms
    method: str
    params: bytes = b"{}"


class LinkReply(msgspec.Struct, frozen=True):
    raw: bytes
    """A JSON-RPC ``result`` or ``error`` as the upstream sent it."""
    is_error: bool = False


class Peer(msgspec.Struct, frozen=True):
    """What an upstream said of itself when the link was opened. All of it is a claim."""

    era: EraName
    version: str
    capabilities: bytes = b"{}"
    server_info: bytes = b"{}"
    instructions: str = ""


class Link(Protocol):
    """Carries many requests at once. Once ``broken`` it never works again: open another."""

    @property
    def peer(self) -> Peer: ...

    @property
    def broken(self) -> bool: ...

    @property
    def subscribed(self) -> frozenset[str]:
        """Resources whose updates it was asked for with ``resources/subscribe``, which it takes in
        both eras. It is kept open for them, also idle; what replaces it is asked for them too."""
        ...

    async def request(
        self,
        method: str,
        params: bytes,
        *,
        tool: Tool | None = None,
        hears: Hears | None = None,
        envelope: Envelope,
    ) -> LinkReply:
        """Ask once. Cancelling this cancels the request at the upstream.

        Raises ``model.SendFailed``.
        """
        ...

    async def close(self) -> None:
        """End it, and with it what is still in flight. Idempotent; raises nothing."""
        ...
