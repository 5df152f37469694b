import time

import pytest

from lockgate.control_plane.services.logouts import Logouts
from lockgate.identity.jwt import NotAccepted
from lockgate.identity.logout_token import LoggedOut, LogoutCheck
from lockgate.model import StoreDown
from support.issuer import ISSUER, Issuer


class Ends:
    """What was ended, in order."""

    def __init__(self) -> None:
        self.issuer = Issuer()
        self.ended: list[tuple[str, str, str]] = []
        self.down: set[str] = set()
        check = LogoutCheck(lambda: {ISSUER: self.issuer.known}, self.issuer.keys)
        self.logouts = Logouts(check, (self.tokens, self.sessions), self.now_ms)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def tokens(self, said: LoggedOut, peer: str) -> None:
        self._end("tokens", said, peer)

    def sessions(self, said: LoggedOut, peer: str) -> None:
        self._end("sessions", said, peer)

    def _end(self, kind: str, said: LoggedOut, peer: str) -> None:
        if kind in self.down:
            raise StoreDown(kind)
        self.ended.append((kind, said.sub, peer))


async def test_one_word_of_the_issuer_ends_everything() -> None:
    ends = Ends()
    await ends.logouts.take(ends.issuer.logout_token(), "192.0.2.1")
    assert ends.ended == [("tokens", "alice", "192.0.2.1"), ("sessions", "alice", "192.0.2.1")]


async def test_what_can_be_ended_is_also_where_the_rest_fails() -> None:
    ends = Ends()
    ends.down = {"tokens"}
    with pytest.raises(StoreDown, match="tokens"):
        await ends.logouts.take(ends.issuer.logout_token(), "192.0.2.1")
    assert [kind for kind, *_ in ends.ended] == ["sessions"]


async def test_what_is_no_logout_token_ends_nothing() -> None:
    ends = Ends()
    for bad in ("", "a.b.c", ends.issuer.logout_token(nonce="n")):
        with pytest.raises(NotAccepted):
            await ends.logouts.take(bad, "192.0.2.1")
    assert ends.ended == []
