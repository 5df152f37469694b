import os

import pytest

from lockgate.control_plane.console.sessions import IDLE_MS, MINUTE_MS, Sessions
from lockgate.store.console_sessions import MemoryConsoleSessions
from lockgate.store.sealing import AesGcmSealer


class Clock:
    now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(MemoryConsoleSessions(), AesGcmSealer(b"k" * 32), clock, os.urandom)


def test_the_cookie_is_nowhere_in_the_store(sessions: Sessions) -> None:
    cookie, opened = sessions.open("oidc:alice", "Alice", "s1", 60_000)
    assert sessions.recognise(cookie) == opened
    assert cookie not in repr(opened)
    plain = sessions.sealer.open("console/session", cookie)
    assert plain is not None
    assert len(plain) == 32
    assert plain.hex() not in repr(opened)


def test_the_cookie_also_says_whom_policy_would_call_so(sessions: Sessions) -> None:
    cookie, opened = sessions.open("oidc:248", "Alice", "", 60_000, "corp/älice")
    assert sessions.subject_in(cookie) == "corp/älice"
    renewed = sessions.renew(opened, "r1", sessions.subject_in(cookie))
    assert renewed is not None
    assert sessions.subject_in(renewed[0]) == "corp/älice"
    assert sessions.subject_in(sessions.open("recovery", "r", "", 60_000)[0]) == ""
    assert sessions.subject_in("guess") == ""


@pytest.mark.parametrize("cookie", ["", "x", "AAAA", "é"])
def test_what_we_did_not_seal_is_nobody(sessions: Sessions, cookie: str) -> None:
    assert sessions.recognise(cookie) is None


def test_what_is_sealed_for_something_else_is_nobody(sessions: Sessions) -> None:
    sessions.open("oidc:alice", "Alice", "", 60_000)
    other = sessions.sealer.seal("console/sign-in", b"x" * 32)
    assert sessions.recognise(other) is None


def test_limits(sessions: Sessions, clock: Clock) -> None:
    cookie, _ = sessions.open("oidc:alice", "Alice", "", 2 * IDLE_MS)
    clock.now += IDLE_MS - 1
    assert sessions.recognise(cookie) is not None
    clock.now += IDLE_MS - 1
    assert sessions.recognise(cookie) is not None
    clock.now += 2
    assert sessions.recognise(cookie) is None
    clock.now -= 2
    assert sessions.recognise(cookie) is None, "over is over"


def test_requests_within_a_minute_write_nothing(sessions: Sessions, clock: Clock) -> None:
    cookie, opened = sessions.open("oidc:alice", "Alice", "", 2 * IDLE_MS)
    clock.now += MINUTE_MS - 1
    sessions.recognise(cookie)
    assert sessions.store.find(opened.hash) == opened


def test_a_new_id_voids_the_old_one_and_keeps_the_end(sessions: Sessions, clock: Clock) -> None:
    cookie, opened = sessions.open("oidc:alice", "Alice", "s1", 60_000)
    clock.now += 5
    renewed = sessions.renew(opened, "grant-1")
    assert renewed is not None
    assert sessions.recognise(cookie) is None
    assert sessions.recognise(renewed[0]) == renewed[1]
    assert (renewed[1].expires, renewed[1].roles) == (opened.expires, "grant-1")
    assert sessions.renew(opened, "grant-2") is None


def test_a_form_belongs_to_one_session_and_one_action(sessions: Sessions) -> None:
    token = sessions.form_token("hash", "/console/grant")
    assert sessions.fits("hash", "/console/grant", token)
    assert not sessions.fits("other", "/console/grant", token)
    assert not sessions.fits("hash", "/console/deny", token)
    assert not sessions.fits("hash", "/console/grant", "")
