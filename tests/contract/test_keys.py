"""What every store of API keys must do, alone and under a key ring."""

import msgspec
import pytest

from lockgate.model import KeyRecord, StoreDown
from lockgate.store.key_ring import KeyRing
from lockgate.store.keys import StoredKeys
from lockgate.store.memory_keys import MemoryKeys

Keys = StoredKeys | MemoryKeys


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def keys(request: pytest.FixtureRequest) -> Keys:
    if request.param == "memory":
        return MemoryKeys()
    return StoredKeys(request.getfixturevalue(request.param))


def record(key_id: str, created: int = 1) -> KeyRecord:
    return KeyRecord(
        id=key_id, kind="personal", owner="alice", subject="alice",
        roles=frozenset({"nurse", "doctor"}), agent="desk", hash="h", created=created, expires=99,
        scopes=frozenset({"write", "read"}), networks=("2001:db8::/32", "10.0.0.0/8"),
    )  # fmt: skip


def test_what_is_read_back_is_what_was_added(keys: Keys) -> None:
    keys.add(record("b", created=2))
    keys.add(record("a", created=3))
    assert keys.list() == (record("b", created=2), record("a", created=3))


def test_an_id_is_added_once(keys: Keys) -> None:
    keys.add(record("a"))
    with pytest.raises(StoreDown):
        keys.add(record("a", created=5))
    assert keys.list() == (record("a"),)


def test_revoking_is_kept_with_its_time_and_happens_once(keys: Keys) -> None:
    keys.add(record("a"))
    assert keys.revoke("a", 50)
    assert not keys.revoke("a", 60)
    assert not keys.revoke("nobody", 60)
    assert [found.revoked for found in keys.list()] == [50]


def test_every_change_makes_a_new_version_and_nothing_else_does(keys: Keys) -> None:
    first = keys.changed(-1)
    assert first is not None
    assert keys.changed(first[0]) is None
    keys.add(record("a"))
    second = keys.changed(first[0])
    assert second is not None
    assert second[1] == {"a": record("a")}
    assert second[0] > first[0]
    keys.revoke("nobody", 5)
    assert keys.changed(second[0]) is None
    keys.revoke("a", 5)
    third = keys.changed(second[0])
    assert third is not None
    assert third[1]["a"].revoked == 5


def test_a_ring_sees_changes_at_its_next_refresh(keys: Keys) -> None:
    ring = KeyRing(keys)
    ring.refresh(1_000)
    keys.add(record("a"))
    assert ring.find("a") is None
    before = ring.version
    ring.refresh(1_500)
    assert ring.find("a") == record("a")
    assert ring.version != before


def changed(keys: Keys) -> int:
    found = keys.changed(-1)
    assert found is not None
    return found[0]


def test_rotating_adds_the_successor_and_ends_the_key_in_one_step(keys: Keys) -> None:
    keys.add(record("a"))
    before = changed(keys)
    assert keys.rotate("a", record("b", created=2), 50)
    old, new = keys.list()
    assert old == msgspec.structs.replace(record("a"), successor="b", expires=50)
    assert new == record("b", created=2)
    assert changed(keys) > before


def test_a_key_is_rotated_once_and_never_after_its_end(keys: Keys) -> None:
    for key_id in ("a", "revoked", "rotated"):
        keys.add(record(key_id))
    keys.revoke("revoked", 5)
    assert keys.rotate("rotated", record("next", created=2), 50)
    before = keys.list(), changed(keys)
    for key_id, expires in (("revoked", 50), ("rotated", 40), ("nobody", 50), ("a", 100)):
        assert not keys.rotate(key_id, record("x", created=3), expires), key_id
    assert (keys.list(), changed(keys)) == before


def test_a_successor_whose_id_is_taken_changes_nothing(keys: Keys) -> None:
    keys.add(record("a"))
    keys.add(record("b"))
    before = keys.list()
    with pytest.raises(StoreDown):
        keys.rotate("a", record("b"), 50)
    assert keys.list() == before


def test_the_last_use_only_moves_forward_and_is_no_change_to_read_again(keys: Keys) -> None:
    keys.add(record("a"))
    keys.add(record("b"))
    before = changed(keys)
    keys.note_used({})
    keys.note_used({"a": 40, "nobody": 40})
    keys.note_used({"a": 30, "b": 35})
    assert {found.id: found.used for found in keys.list()} == {"a": 40, "b": 35}
    assert changed(keys) == before
