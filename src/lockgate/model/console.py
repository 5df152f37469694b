"""A person's browser, signed in to the console."""

import msgspec


class ConsoleSession(msgspec.Struct, frozen=True):
    """As stored. Times are in milliseconds since the Unix epoch."""

    hash: str
    """SHA-256 of the session's id, in hex. The id itself is only in the browser, sealed."""
    identity: str
    """As of ``Privilege.holder``."""
    name: str
    """What the identity provider calls the person. Only shown."""
    sid: str
    """The identity provider's own session (OpenID Connect Back-Channel Logout 1.0, 2.1); may be
    empty."""
    roles: str
    """Ids of the grants the person held when this id was given out. Others: a new id is due."""
    opened: int
    """When the person signed in; a new id keeps it."""
    seen: int
    """Last request, to the minute."""
    expires: int
    """Over then, whatever happens."""
    fresh: int = 0
    """When the person last proved who they are anew, as strongly as the provider is asked to; 0
    where they only came in."""
