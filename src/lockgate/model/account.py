"""A person's own account at an upstream, connected to the gateway."""

import msgspec


class Account(msgspec.Struct, frozen=True):
    """One a (principal, upstream). What it can do stays sealed until its owner calls."""

    principal: str
    """Id of the principal."""
    upstream: str
    issuer: str
    """Of the authorization server that gave the tokens: they go back to no other."""
    place: str
    """Hash of the upstream's URL that they are for: they go to no other."""
    scopes: tuple[str, ...] = ()
    connected: int = 0
    """Milliseconds since the Unix epoch, as all times here."""
    expires: int = 0
    """Of the access token."""
    version: int = 0
    """Raised with each change."""
    broken: str = ""
    """Why it works no more until it is connected again; empty while it works."""
    secret: bytes = b""
    """Tokens, for whoever uses them. The store keeps them sealed."""

    def __repr__(self) -> str:
        return f"Account({self.principal!r}, {self.upstream!r}, version={self.version!r})"
