"""What every store of administrators' roles must do."""

import msgspec
import pytest

from lockgate.model import StoreDown
from lockgate.model.privilege import Privilege
from lockgate.store.feed import Snapshot
from lockgate.store.privileges import MemoryPrivileges, StoredPrivileges

Store = StoredPrivileges | MemoryPrivileges


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryPrivileges()
    return StoredPrivileges(request.getfixturevalue(request.param))


def asked(name: str, at: int = 1) -> Privilege:
    return Privilege(name, "operator", "os:alice", "to rotate a key", at, 60_000, at + 99)


def granted(one: Privilege) -> Privilege:
    return msgspec.structs.replace(
        one, granted_by=("os:bob", "oidc:carol"), granted=5, expires=60_005, version=1
    )


def test_what_is_read_back_is_what_was_kept_oldest_first(store: Store) -> None:
    store.add(asked("b", 3))
    store.add(asked("a", 2))
    assert store.list() == (asked("a", 2), asked("b", 3))
    assert store.replace(granted(asked("a", 2)))
    assert store.list() == (granted(asked("a", 2)), asked("b", 3))


def test_an_id_is_kept_once(store: Store) -> None:
    store.add(asked("a"))
    with pytest.raises(StoreDown):
        store.add(asked("a", 5))
    assert store.list() == (asked("a"),)


def test_of_two_changes_to_the_same_version_the_second_is_refused(store: Store) -> None:
    store.add(asked("a"))
    assert store.replace(granted(asked("a")))
    denied = msgspec.structs.replace(asked("a"), ended=7, ended_by="os:bob", version=1)
    assert not store.replace(denied)
    assert store.list() == (granted(asked("a")),)


def test_what_is_not_there_is_not_changed(store: Store) -> None:
    assert not store.replace(granted(asked("a")))
    assert store.list() == ()


def test_another_worker_knows_after_a_refresh_and_only_changes_make_a_version(
    store: Store,
) -> None:
    there: Snapshot[object] = Snapshot(store, {})
    there.refresh(1_000)
    version = there.version
    store.add(asked("a"))
    there.refresh(1_500)
    assert there.rows == {"a": asked("a")}
    store.replace(granted(asked("a")))
    there.refresh(2_000)
    assert there.rows == {"a": granted(asked("a"))}
    assert there.version > version
    same = there.version
    assert not store.replace(granted(asked("a")))
    there.refresh(2_500)
    assert there.version == same
