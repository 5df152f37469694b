"""A table of hostile messages, shared by the files that fill it: see ``case``."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec

from lockgate.model import REASONS
from support.client import McpClient, Said, Wire, head, wire_to
from support.gateway import Gateway

MESSAGE_BYTES = 256 * 1024
LIMITS = {
    "message_bytes": MESSAGE_BYTES,
    "header_seconds": 1.0,
    "body_seconds": 1.0,
    "burst": 10_000,
    "calls_per_minute": 100_000,
}
"""The ``limits`` of the gateway that gets them."""


class World(msgspec.Struct):
    """What a case has to hand."""

    gate: Gateway
    client: McpClient
    session: str

    def wire(self) -> AbstractAsyncContextManager[Wire]:
        return wire_to(self.gate.base)

    def head(self, length: int | None, *more: str, **rest: str) -> bytes:
        return head(self.gate.base, self.client.key, length, *more, **rest)


Act = Callable[[World], Awaitable[Said]]


class Case(msgspec.Struct, frozen=True):
    name: str
    reason: str
    act: Act
    status: int = 0
    """0: what the catalogue says."""
    anonymous: bool = False
    """Refused before it was known who asks, so only counted."""

    @property
    def expected(self) -> int:
        return self.status or REASONS[self.reason].http


CASES: dict[str, Case] = {}


def case(name: str, reason: str, act: Act, **rest: Any) -> None:
    assert name not in CASES
    CASES[name] = Case(name, reason, act, **rest)
