import json
import os

import pytest

from lockgate.control_plane.console.ending import SessionsEnd
from lockgate.identity.jwt import NotAccepted
from lockgate.identity.logout_token import LoggedOut
from lockgate.model.console import ConsoleSession
from lockgate.store.console_sessions import MemoryConsoleSessions
from lockgate.store.memory_events import MemoryEvents
from support.issuer import ISSUER, Issuer

NOW = 1_000_000


class Desk:
    def __init__(self) -> None:
        self.store = MemoryConsoleSessions()
        self.events = MemoryEvents()
        self.end = SessionsEnd(ISSUER, self.store, self.events, lambda: NOW, os.urandom)
        self.known = Issuer().known
        for hashed, who, sid in (("h1", "alice", "s1"), ("h2", "alice", "s2"), ("h3", "bob", "s3")):
            opened = ConsoleSession(hashed, f"oidc:{who}", who, sid, "", 0, 0, 2 * NOW)
            self.store.put(opened, 0)

    def said(self, sub: str, session: str = "", id: str = "j1") -> LoggedOut:
        return LoggedOut(self.known, sub, sub, session, id, NOW, 2 * NOW)

    @property
    def open(self) -> set[str]:
        return {h for h in ("h1", "h2", "h3") if self.store.find(h)}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_person_or_one_of_their_sessions_ends_and_is_on_record(desk: Desk) -> None:
    desk.end(desk.said("", "s1"), "192.0.2.1")
    assert desk.open == {"h2", "h3"}
    desk.end(desk.said("alice", "s1", "j2"), "192.0.2.1")
    assert desk.open == {"h3"}
    last = desk.events.tail(1)[0].event
    assert (last.kind, last.header["sessions"]) == ("session.closed", 1)
    assert json.loads(last.slots["actor"])["identity"] == "oidc:alice"
    assert json.loads(last.slots["net"]) == {"peer": "192.0.2.1"}


def test_a_token_counts_once(desk: Desk) -> None:
    desk.end(desk.said("alice"), "192.0.2.1")
    with pytest.raises(NotAccepted, match="before"):
        desk.end(desk.said("bob"), "192.0.2.1")
    assert desk.open == {"h3"}


def test_the_word_of_another_issuer_ends_no_session_here(desk: Desk) -> None:
    """Its ``sub`` is a name of its own."""
    end = SessionsEnd("https://other.example", desk.store, desk.events, lambda: NOW, os.urandom)
    end(desk.said("alice"), "192.0.2.1")
    assert desk.open == {"h1", "h2", "h3"}
    assert desk.events.tail(9) == ()
