"""An upstream whose tokens a ``PaperServer`` gives, and what it takes to ask for them."""

from itertools import count
from typing import Any

from lockgate.model import Upstream
from lockgate.upstream.credential import Credential
from lockgate.upstream.oauth_servers import OAuthServers
from lockgate.upstream.oauth_token import Clock, OAuthClient
from lockgate.upstream.rfc8693_exchange import SubjectToken
from lockgate.upstream.target import HttpTarget, Registered
from support.paper_server import PaperServer

ALICE, BOB = "person:alice", "person:bob"


class Ticking:
    """A clock in seconds, set by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self._count = count(1)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, lambda: f"nonce-{next(self._count):040}")

    def ms(self) -> int:
        return self.now * 1000


class HeldSubjects:
    """Satisfies ``SubjectTokens``: in memory, by principal and kind, as whoever authenticates
    people keeps them."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], SubjectToken] = {}

    def hold(self, holder: str, token: SubjectToken) -> None:
        self._held[holder, token.kind] = token

    def token_of(self, holder: str, kind: str) -> SubjectToken | None:
        return self._held.get((holder, kind))


def registered(paper: PaperServer, mode: Any, name: str = "notes", **more: Any) -> Registered:
    given = {"issuer": paper.url, "client": OAuthClient("lockgate", "s3cret"), **more}
    target = HttpTarget(f"{paper.url}/mcp", {}, Credential(mode, **given))
    return Registered(Upstream(name, fingerprint=f"{name} {given}"), target)


def servers(paper: PaperServer, ticking: Ticking) -> OAuthServers:
    return OAuthServers(paper.fetcher(), ticking.clock)
