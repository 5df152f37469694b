"""Lookups are in ``tests/contract/test_people.py``."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from lockgate.model import Group, Person, StoreDown
from lockgate.store.directory import Directory
from lockgate.store.memory_people import MemoryPeople
from lockgate.store.people import StoredPeople


def test_it_closes_when_it_was_not_refreshed_for_two_seconds() -> None:
    directory = Directory(MemoryPeople())
    assert not directory.fresh(0)
    directory.refresh(10_000)
    assert directory.fresh(12_000)
    assert not directory.fresh(12_001)
    assert not directory.fresh(7_999), "the clock was set back"


def test_it_closes_when_the_store_is_gone(engine: Engine) -> None:
    directory = Directory(StoredPeople(engine))
    directory.refresh(10_000)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE feed"))
    with pytest.raises(StoreDown):
        directory.refresh(13_000)
    assert not directory.fresh(13_000)


def test_a_refresh_without_news_keeps_what_there_was() -> None:
    people = MemoryPeople()
    people.put([Person("1", "scim", "alice")])
    directory = Directory(people)
    directory.refresh(1)
    before = directory.named("alice")
    directory.refresh(2)
    assert directory.named("alice") is before


names = st.sampled_from(["alice", "ALICE", "bob", "Bob", "x", ""])
people = st.builds(
    Person,
    id=st.sampled_from("123"),
    source=st.sampled_from(["scim", "operator"]),
    user_name=names.filter(bool),
    external_id=names,
    active=st.booleans(),
    deleted=st.sampled_from([0, 0, 5]),
)
groups = st.builds(
    Group,
    id=st.sampled_from("gh"),
    source=st.just("scim"),
    name=st.sampled_from(["nurses", "doctors"]),
    members=st.frozensets(st.sampled_from("123")),
    deleted=st.sampled_from([0, 0, 5]),
)


@given(st.lists(people | groups, max_size=12))
def test_what_was_followed_step_by_step_is_what_is_read_at_once(rows: list[Person | Group]) -> None:
    store = MemoryPeople()
    following = Directory(store)
    for row in rows:
        known = store.find([row.id])
        new = msgspec.structs.replace(row, version=known[0].version if known else 0)
        store.put(*(([new], []) if isinstance(new, Person) else ([], [new])))
        following.refresh(1)
    at_once = Directory(store)
    at_once.refresh(1)
    following.refresh(2)
    for name in ("alice", "ALICE", "bob", "Bob", "x", "nobody"):
        for ask in (Directory.named, Directory.alike):
            found = [sorted(ask(d, name), key=lambda p: p.id) for d in (following, at_once)]
            assert found[0] == found[1]
    for one in store.people():
        assert following.groups_of(one) == at_once.groups_of(one)


def test_people_are_found_by_their_employee_number_in_any_case(engine: Engine) -> None:
    rows = StoredPeople(engine)
    rows.put([Person("1", "scim", "alice", employee="e-7"), Person("2", "ldap:hq", "a-adm",
              employee="E-7"), Person("3", "scim", "bob")])  # fmt: skip
    directory = Directory(rows)
    directory.refresh(1)
    assert {p.id for p in directory.employed("E-7")} == {"1", "2"}
    assert directory.employed("") == ()
    (alice,) = directory.named("alice")
    rows.put([msgspec.structs.replace(alice, employee="8")])
    directory.refresh(2)
    assert [p.id for p in directory.employed("e-7")] == ["2"]
    assert [p.id for p in directory.employed("8")] == ["1"]
    assert directory.named("e-7") == (), "no credential names it"
