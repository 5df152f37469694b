"""For whom a connection to an upstream is held."""

import msgspec


class Terms(msgspec.Struct, frozen=True):
    """Whoever differs in any of these never shares a connection: what an upstream may ask on it,
    and what it lists, depends on all of them."""

    holder: str
    """Id of the principal."""
    era: str = ""
    """The client's, where it declared anything that may be asked of it."""
    asks: bytes = b"{}"
    """``Envelope.asks``."""
    session: str = ""
    """The legacy client's session, where it declared anything that may be asked of it."""
