"""What every store of recovery codes must do."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from lockgate.model.privilege import RecoveryCode
from lockgate.store.recovery import TRIES, WINDOW_MS, MemoryRecovery, StoredRecovery

Store = StoredRecovery | MemoryRecovery
NOW = 1_000_000_000


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def opener(request: pytest.FixtureRequest) -> Callable[[], Store]:
    if request.param == "memory":
        shared = MemoryRecovery()
        return lambda: shared
    engine: Engine = request.getfixturevalue(request.param)
    return lambda: StoredRecovery(engine)


@pytest.fixture
def store(opener: Callable[[], Store]) -> Store:
    return opener()


def code(hashed: str) -> RecoveryCode:
    return RecoveryCode(hashed, "opal", NOW + 900)


def test_a_code_is_used_once(store: Store) -> None:
    store.put(code("h"))
    assert store.use("h", "cli", NOW) == "right"
    assert store.use("h", "cli", NOW) == "wrong"
    assert [(c.made_by, c.used) for c in store.list()] == [("opal", NOW)]


def test_a_code_is_good_until_its_time(store: Store) -> None:
    store.put(code("h"))
    assert store.use("h", "cli", NOW + 900) == "wrong"
    assert store.use("h", "cli", NOW + 899) == "right"


def test_a_new_code_voids_the_one_before(store: Store) -> None:
    store.put(code("h"))
    store.put(code("i"))
    assert store.use("h", "cli", NOW) == "wrong"
    assert store.use("i", "cli", NOW) == "right"


def test_guessing_is_throttled_for_its_source_and_only_for_a_time(store: Store) -> None:
    store.put(RecoveryCode("h", "opal", NOW + 10 * WINDOW_MS))
    for number in range(TRIES):
        assert store.use("x", "console", NOW + number) == "wrong"
    assert store.use("h", "console", NOW + TRIES) == "throttled"
    assert store.use("x", "console", NOW + WINDOW_MS) == "wrong", "the first is forgotten"
    assert store.use("h", "console", NOW + WINDOW_MS) == "throttled"
    assert store.use("h", "cli", NOW + WINDOW_MS) == "right"


def test_of_many_who_use_it_at_once_exactly_one_wins(opener: Callable[[], Store]) -> None:
    opener().put(code("h"))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: opener().use("h", "cli", NOW), range(4)))
    assert sorted(found) == ["right", "wrong", "wrong", "wrong"]
