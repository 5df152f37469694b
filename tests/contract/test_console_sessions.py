"""What every store of console sessions must do."""

from collections.abc import Callable

import msgspec
import pytest
from sqlalchemy import Engine

from lockgate.model.console import ConsoleSession
from lockgate.store.console_sessions import MemoryConsoleSessions, StoredConsoleSessions

Store = StoredConsoleSessions | MemoryConsoleSessions


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def opener(request: pytest.FixtureRequest) -> Callable[[], Store]:
    if request.param == "memory":
        shared = MemoryConsoleSessions()
        return lambda: shared
    engine: Engine = request.getfixturevalue(request.param)
    return lambda: StoredConsoleSessions(engine)


@pytest.fixture
def store(opener: Callable[[], Store]) -> Store:
    return opener()


def session(hashed: str, who: str = "alice", sid: str = "s1", expires: int = 99) -> ConsoleSession:
    return ConsoleSession(hashed, f"oidc:{who}", who.title(), sid, "r1", 1, 1, expires)


def test_what_is_found_is_what_was_kept(store: Store) -> None:
    assert store.put(session("h"), 1)
    assert store.find("h") == session("h")
    assert store.find("i") is None


def test_a_request_is_remembered(store: Store) -> None:
    store.put(session("h"), 1)
    store.touch("h", 50)
    store.touch("nobody", 50)
    assert store.find("h") == msgspec.structs.replace(session("h"), seen=50)


def test_a_new_id_takes_the_place_of_the_old_one_once(store: Store) -> None:
    store.put(session("old"), 1)
    assert store.put(session("new"), 1, "old")
    assert store.find("old") is None
    assert not store.put(session("newer"), 1, "old")
    assert store.find("newer") is None
    assert store.find("new") is not None


def test_what_one_worker_ends_is_over_for_all_at_once(opener: Callable[[], Store]) -> None:
    here, there = opener(), opener()
    here.put(session("h"), 1)
    assert there.find("h") is not None
    assert here.end("h")
    assert there.find("h") is None
    assert not here.end("h")


@pytest.mark.parametrize(
    ("identity", "sid", "left"),
    [
        ("oidc:alice", "", ["b"]),
        ("oidc:alice", "s9", ["b"]),
        ("", "s1", ["a2", "b"]),
        ("", "s9", ["a1", "a2", "b"]),
    ],
)
def test_sessions_of_a_person_or_of_a_sign_in_end(
    store: Store, identity: str, sid: str, left: list[str]
) -> None:
    for one in (session("a1"), session("a2", sid="s2"), session("b", "bob", "s3")):
        store.put(one, 1)
    assert store.end_of(identity, sid, "t", 50, 1) == 3 - len(left)
    assert [h for h in ("a1", "a2", "b") if store.find(h)] == left


def test_the_same_logout_ends_nothing_twice(opener: Callable[[], Store]) -> None:
    here, there = opener(), opener()
    here.put(session("a1"), 1)
    assert here.end_of("oidc:alice", "", "t", 50, 1) == 1
    here.put(session("a2"), 1)
    assert there.end_of("oidc:alice", "", "t", 50, 2) is None
    assert there.find("a2") is not None


def test_what_is_over_is_forgotten(store: Store) -> None:
    store.put(session("h", expires=50), 1)
    store.put(session("i"), 50)
    assert store.find("h") is None


def test_a_thing_is_used_once_until_it_is_forgotten(opener: Callable[[], Store]) -> None:
    here, there = opener(), opener()
    assert here.once("t", 50, 1)
    assert not there.once("t", 50, 49)
    assert there.once("u", 50, 49)
    assert there.once("t", 99, 50)
