"""What is let as far as authentication, by where it comes from and how large it is."""

import ssl

import msgspec

from lockgate.identity.proxies import Proxies


class Edge(msgspec.Struct, frozen=True):
    """What is let as far as authentication."""

    hosts: frozenset[str]
    """Accepted ``Host`` values, lower case, with port where it is not the scheme's own."""
    origins: frozenset[str]
    message_bytes: int
    body_seconds: float
    proxies: Proxies = Proxies()
    tls: ssl.SSLContext | None = None
    """Of the next handshake; None: plain HTTP."""
    scheme: str = "http"
    """As clients use it, whoever ends their TLS."""
    console: str = ""
    """Origin of the console: its pages are reached under this name only. Empty: there is none."""
    public_url: str = ""
    """Where clients reach this gateway, where they are not told by its own address."""
    grace_ms: int = 0
    """How long a call may go on whose token has expired meanwhile."""

    @property
    def page_hosts(self) -> frozenset[str]:
        """``hosts``, and the console's."""
        return self.hosts | {self.console.partition("://")[2].lower()} - {""}

    def base(self, host: str) -> str:
        """Of the URL a client used; ``host`` has been checked."""
        return self.public_url or f"{self.scheme}://{host.lower()}"
