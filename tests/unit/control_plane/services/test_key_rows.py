from lockgate.control_plane.services.key_rows import key_row, key_rows, paged
from lockgate.model import KeyRecord, Person
from lockgate.store.memory_people import MemoryPeople

NOW = 1_000


def key(id: str, created: int = 1, expires: int = 9_000, **more: object) -> KeyRecord:
    return KeyRecord(id, "personal", "alice", "alice", frozenset({"b", "a"}), "", "HASH", created,
                     expires, **more)  # type: ignore[arg-type] # fmt: skip


def test_a_row_says_everything_but_the_key() -> None:
    row = key_row(key("k", scopes=frozenset({"s"}), networks=("10.0.0.0/8",)), NOW)
    assert (row.id, row.roles, row.scopes, row.networks) == ("k", ("a", "b"), ("s",),
                                                             ("10.0.0.0/8",))  # fmt: skip
    assert "HASH" not in repr(row)


def test_the_newest_is_first_and_what_is_over_is_left_out_unless_asked_for() -> None:
    records = [key("old", 1), key("new", 5), key("gone", 3, expires=999), key("dead", revoked=5)]
    people = MemoryPeople()
    assert [r.id for r in key_rows(records, people, NOW, everything=False)] == ["new", "old"]
    assert len(key_rows(records, people, NOW, everything=True)) == 4
    people.put([Person("p", "scim", "Alice", active=False)])
    rows = key_rows(records, people, NOW, everything=False)
    assert {row.state for row in rows} == {"inactive"}


def test_pages() -> None:
    rows = [key_row(key(f"k{n}"), NOW) for n in range(5)]
    first = paged(rows, "", 2)
    assert ([r.id for r in first.items], first.after) == (["k0", "k1"], "k1")
    last = paged(rows, "k3", 2)
    assert ([r.id for r in last.items], last.after) == (["k4"], "")
    assert paged(rows, "unknown", 2).items == ()
    assert paged(rows, "", 5).after == ""
