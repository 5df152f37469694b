"""A way to one upstream, whatever carries it."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from lockgate.model import Envelope, Tool
from lockgate.model.call import EraName

Progress = Callable[[str, bytes], None]
"""Gets method and raw params of each notification that belongs to the running request."""


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

    async def request(
        self,
        method: str,
        params: bytes,
        *,
        tool: Tool | None = None,
        progress: Progress | None = None,
        envelope: Envelope,
    ) -> LinkReply:
        """Ask once. Cancelling this cancels the request at the upstream.

        Raises ``model.SendFailed``.
        """
        ...

    async def close(self) -> None:
        """End it, and with it what is still in flight. Idempotent; raises nothing."""
        ...
