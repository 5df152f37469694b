"""What the gateway remembers between requests of one principal. Always sealed or keyed by them."""

import msgspec


class Session(msgspec.Struct, frozen=True):
    """A legacy-era client session (MCP 2025-11-25, "Session Management"). Its sealed form is the
    ``Mcp-Session-Id``, so any worker can open it and no other principal can use it."""

    id: str
    principal: str
    endpoint: str
    version: str
    client: str
    capabilities: bytes
    opened: int


class Cursor(msgspec.Struct, frozen=True):
    """Where a list goes on. Sealed before a client sees it."""

    principal: str
    endpoint: str
    method: str
    after: int
    snapshot: str
    """Digest of the list the client is paging through; a changed list starts again."""


class SessionState(msgspec.Struct, frozen=True):
    """What a legacy session has set since it was opened."""

    level: str = ""
    """``logging/setLevel``; empty: never set."""
    subscribed: frozenset[str] = frozenset()
    """Resource URIs, as the client knows them."""
