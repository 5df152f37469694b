"""How to reach one upstream, and how much of it we bear. Policy knows only ``model.Upstream``."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from lockgate.model import Terms, Upstream
from lockgate.upstream.credential import Credential


class StdioTarget(msgspec.Struct, frozen=True):
    """A program that speaks MCP on its standard streams."""

    command: tuple[str, ...]
    env: Mapping[str, str] = {}
    """Everything it gets beside ``PATH``, ``HOME`` and ``LANG``. May hold secrets."""
    cwd: str | None = None

    def __repr__(self) -> str:
        return f"StdioTarget({self.command!r}, env={sorted(self.env)!r}, cwd={self.cwd!r})"


class Tls(msgspec.Struct, frozen=True):
    """Files in PEM, read when the first connection is made. Empty: none."""

    certificate: str = ""
    """The gateway's own, with what leads to its issuer: shown to the upstream."""
    key: str = ""
    authorities: str = ""
    """Who may have issued the upstream's certificate, instead of the system's trust store."""


class HttpTarget(msgspec.Struct, frozen=True):
    """A streamable HTTP endpoint."""

    url: str
    headers: Mapping[str, str] = {}
    """Sent with every request, the gateway's own credential among them. A client's never are."""
    credential: Credential = Credential()
    """What is sent besides."""
    tls: Tls = Tls()

    def __repr__(self) -> str:
        return f"HttpTarget({urlsplit(self.url).hostname!r}, headers={sorted(self.headers)!r})"


class WithheldTarget(msgspec.Struct, frozen=True):
    """Known, but not to be reached now: a secret that it needs cannot be had."""

    why: str
    """For operators."""


Target = StdioTarget | HttpTarget | WithheldTarget


class Bounds(msgspec.Struct, frozen=True):
    """What one upstream may cost us. Times are seconds, sizes bytes."""

    call_seconds: float = 60.0
    """From the first byte sent to the last byte of the answer, whatever progress is reported."""
    list_seconds: float = 20.0
    """From the wish for a list to its last page, where that is less than ``call_seconds``: who
    lists several upstreams waits for the slowest."""
    connect_seconds: float = 30.0
    """To start and agree on a version; a program's first start may have to install it."""
    probe_seconds: float = 5.0
    """How long ``server/discover`` may go unanswered on stdio before the era counts as legacy."""
    grace_seconds: float = 2.0
    """Between asking a program to end and ending it."""
    reply_bytes: int = 4 * 2**20
    list_bytes: int = 4 * 2**20
    """All pages of one list together."""
    links: int = 32
    """Connections or programs at once, over all principals."""
    idle_seconds: float = 600.0


def terms_of(upstream: Upstream, terms: Terms) -> Terms:
    """On what terms its links are held. Nobody is asked on one that several people share."""
    return Terms("") if upstream.sharing == "shared" else terms


class Registered(msgspec.Struct, frozen=True):
    """An upstream as the catalogue knows it."""

    upstream: Upstream
    target: Target
    bounds: Bounds = Bounds()

    @property
    def name(self) -> str:
        return self.upstream.name
