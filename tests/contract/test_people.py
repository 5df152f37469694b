"""What every store of people must do, alone and under a directory."""

import msgspec
import pytest

from lockgate.model import Group, Person
from lockgate.store.directory import Directory
from lockgate.store.memory_people import MemoryPeople
from lockgate.store.people import StoredPeople

People = StoredPeople | MemoryPeople


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def people(request: pytest.FixtureRequest) -> People:
    if request.param == "memory":
        return MemoryPeople()
    return StoredPeople(request.getfixturevalue(request.param))


ALICE = Person("1", "scim", "Alice", "00uA", True, frozenset({"b", "a"}), 5, 6)
BOB = Person("2", "scim", "bob", "00uB", created=4)
NURSES = Group("g", "scim", "nurses", "x", frozenset({"2", "1"}), 7, 8)


def put(people: People, *rows: Person | Group) -> str:
    return people.put(
        [r for r in rows if isinstance(r, Person)], [r for r in rows if isinstance(r, Group)]
    )


def bare(row: Person | Group) -> Person | Group:
    return msgspec.structs.replace(row, version=0)


def test_what_is_read_back_is_what_was_put(people: People) -> None:
    assert put(people, ALICE, BOB, NURSES) == "done"
    assert [bare(p) for p in people.people()] == [BOB, ALICE]
    assert [bare(g) for g in people.groups()] == [NURSES]


def test_a_row_is_replaced_only_by_who_has_read_it(people: People) -> None:
    put(people, ALICE)
    (read,) = people.people()
    assert read.version > 0
    assert put(people, msgspec.structs.replace(read, active=False)) == "done"
    assert put(people, msgspec.structs.replace(read, active=True)) == "changed"
    assert put(people, ALICE) == "changed", "made anew under a known id"
    assert put(people, msgspec.structs.replace(BOB, version=3)) == "changed"
    assert [p.active for p in people.people()] == [False]


def test_a_name_is_one_person_s_in_its_source_without_regard_to_case(people: People) -> None:
    put(people, ALICE)
    twin = msgspec.structs.replace(BOB, user_name="ALICE")
    assert put(people, twin) == "taken"
    assert put(people, msgspec.structs.replace(twin, source="operator")) == "done"
    assert put(people, Person("8", "ldap:a", "x"), Person("9", "ldap:a", "X")) == "taken"
    assert len(people.people()) == 2


def test_the_name_of_a_deleted_one_is_free(people: People) -> None:
    put(people, ALICE)
    (read,) = people.people()
    gone = msgspec.structs.replace(read, deleted=9, active=False)
    assert put(people, gone) == "done"
    assert put(people, msgspec.structs.replace(BOB, user_name="alice")) == "done"
    assert len(people.people()) == 2
    (old,) = (p for p in people.people() if p.deleted)
    assert put(people, msgspec.structs.replace(old, deleted=0)) == "taken"


def test_names_may_be_swapped_in_one_step(people: People) -> None:
    put(people, ALICE, BOB)
    bob, alice = people.people()
    swapped = (
        msgspec.structs.replace(alice, user_name="bob"),
        msgspec.structs.replace(bob, user_name="alice"),
    )
    assert put(people, *swapped) == "done"


def test_rows_are_found_by_id_and_by_name(people: People) -> None:
    put(people, ALICE, BOB, NURSES, Person("3", "scim", "without"))
    assert [bare(row) for row in people.find(["g", "1", "nobody"])] == [ALICE, NURSES]
    assert people.find([]) == ()
    for name in ("Alice", "ALICE", "00uA"):
        assert [bare(p) for p in people.called(name)] == [ALICE]
    for stranger in ("00ua", "", "1", "x' OR '1'='1", "%", "*"):
        assert people.called(stranger) == ()


def test_only_what_is_newer_is_read(people: People) -> None:
    first, news = people.changed(-1)
    assert news.people == ()
    put(people, ALICE, NURSES)
    second, news = people.changed(first)
    assert ([p.id for p in news.people], [g.id for g in news.groups]) == (["1"], ["g"])
    put(people, BOB)
    third, news = people.changed(second)
    assert [p.id for p in news.people] == ["2"]
    assert first < second < third
    assert people.changed(third) == (third, msgspec.structs.replace(news, people=(), groups=()))


def test_what_is_refused_makes_no_new_version(people: People) -> None:
    put(people, ALICE)
    before, _ = people.changed(-1)
    put(people, ALICE)
    assert people.changed(-1)[0] == before


def test_many_are_written_at_once(people: People) -> None:
    many = [Person(str(n), "ldap:a", f"p{n}") for n in range(1_201)]
    assert people.put(many) == "done"
    assert people.put(people.people()) == "done"
    assert people.put([Person("new", "ldap:a", "P1200")]) == "taken"


def test_one_at_a_time_has_the_turn_to_read_a_source(people: People) -> None:
    assert people.claim("ldap:a", 1_000, 500)
    assert not people.claim("ldap:a", 1_499, 500)
    assert people.claim("ldap:b", 1_499, 500)
    assert people.claim("ldap:a", 1_500, 500)
    assert people.claim("ldap:a", 900, 500), "the clock was set back"


def test_when_a_source_was_heard_is_told_without_a_new_version(people: People) -> None:
    people.claim("ldap:a", 1_000, 500)
    version, news = people.changed(-1)
    assert news.heard.get("ldap:a", 0) == 0
    people.hear("ldap:a", 1_200)
    assert people.changed(version)[1].heard == {"ldap:a": 1_200}
    assert people.changed(-1)[0] == version
    assert not people.claim("ldap:a", 1_600, 500)


def test_a_directory_sees_changes_at_its_next_refresh(people: People) -> None:
    directory = Directory(people)
    directory.refresh(1_000)
    put(people, ALICE, BOB, NURSES)
    assert directory.named("Alice") == ()
    directory.refresh(1_500)
    (alice,) = directory.named("Alice")
    assert directory.named("00uA") == directory.alike("aLICE") == (alice,)
    assert directory.named("alice") == directory.named("00ub") == ()
    assert directory.groups_of(alice) == {"a", "b", "nurses"}
    put(people, msgspec.structs.replace(alice, external_id="", active=False))
    directory.refresh(2_000)
    assert directory.named("00uA") == ()
    assert not directory.named("Alice")[0].active
    people.hear("ldap:a", 2_100)
    directory.refresh(2_200)
    assert (directory.heard("ldap:a"), directory.heard("ldap:b")) == (2_100, 0)
    assert len(directory.named("bob")) == 1
