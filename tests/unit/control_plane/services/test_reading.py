import hashlib
import itertools
from typing import Any

import pytest

from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.people import People
from lockgate.control_plane.services.reading import Reading
from lockgate.model import KeyRecord, Person
from lockgate.model.person import DirectoryDown, Listed
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.memory_keys import MemoryKeys
from lockgate.store.memory_people import MemoryPeople

NOW = 1_800_000_000_000
ALICE = Listed("alice", "id-a", True, frozenset({"nurses"}))
BOB = Listed("bob", "id-b")


class World:
    def __init__(self) -> None:
        self.store = MemoryPeople()
        self.keys = MemoryKeys()
        self.events = MemoryEvents()
        numbers = itertools.count(1)
        acting = Acting(
            Actor("directory hq", "ldap"), self.events, lambda: NOW,
            lambda count: hashlib.shake_128(b"%d" % next(numbers)).digest(count),
        )  # fmt: skip
        people = People(self.store, self.keys, acting)
        self.reading = Reading(people, "ldap:hq")

    def state(self) -> dict[str, bool]:
        return {p.user_name: p.active for p in self.store.people() if not p.deleted}

    def add_key(self, owner: str) -> None:
        self.keys.add(KeyRecord(owner, "personal", owner, owner, frozenset(), "", "h", 1, NOW + 1))

    @property
    def revoked(self) -> set[str]:
        return {key.id for key in self.keys.list() if key.revoked}


@pytest.fixture
def world() -> World:
    return World()


def test_a_first_reading_makes_everybody_known(world: World) -> None:
    assert world.reading.take([ALICE, BOB]) == 2
    alice = next(p for p in world.store.people() if p.user_name == "alice")
    assert (alice.source, alice.external_id) == ("ldap:hq", "id-a")
    assert alice.groups == {"nurses"}
    assert [r.event.header["action"] for r in world.events.tail(9)] == ["person.add"] * 2


def test_a_reading_that_brings_nothing_new_changes_and_records_nothing(world: World) -> None:
    world.reading.take([ALICE, BOB])
    assert world.reading.take([BOB, ALICE]) == 0
    assert world.events.count() == 2


def test_who_is_blocked_or_listed_no_more_is_inactive_until_they_are_back(world: World) -> None:
    world.add_key("alice")
    world.add_key("bob")
    world.reading.take([ALICE, BOB])
    blocked = Listed("bob", "id-b", active=False)
    assert world.reading.take([blocked]) == 2
    assert world.state() == {"alice": False, "bob": False}
    assert world.reading.take([blocked]) == 0
    assert world.reading.take([ALICE, BOB]) == 2
    assert world.state() == {"alice": True, "bob": True}
    assert world.revoked == set(), "an entry out of sight may come back"


def test_someone_with_another_name_is_the_same_one(world: World) -> None:
    world.add_key("alice")
    world.reading.take([ALICE, BOB])
    before = {p.external_id: p.id for p in world.store.people()}
    world.reading.take([Listed("a.smith", "id-a"), BOB])
    assert {p.external_id: p.id for p in world.store.people()} == before
    assert world.state() == {"a.smith": True, "bob": True}
    assert world.revoked == {"alice"}, "whoever is called alice next is someone else"


def test_two_may_swap_their_names(world: World) -> None:
    world.reading.take([ALICE, BOB])
    world.reading.take([Listed("bob", "id-a"), Listed("alice", "id-b")])
    names = {p.external_id: p.user_name for p in world.store.people()}
    assert names == {"id-a": "bob", "id-b": "alice"}


def test_another_one_of_the_name_is_not_the_one_who_left(world: World) -> None:
    world.add_key("alice")
    world.reading.take([ALICE, BOB])
    world.reading.take([Listed("alice", "id-new"), BOB])
    assert world.revoked == {"alice"}
    rows = {p.external_id: (p.active, bool(p.deleted)) for p in world.store.people()}
    assert rows == {"id-a": (False, True), "id-b": (True, False), "id-new": (True, False)}


def test_a_directory_without_ids_is_told_apart_by_name(world: World) -> None:
    world.reading.take([Listed("alice"), Listed("bob")])
    assert world.reading.take([Listed("ALICE", "now-with-id"), Listed("bob")]) == 1
    assert len(world.store.people()) == 2


@pytest.mark.parametrize(
    "twice", [Listed("ALICE", "id-x"), Listed("other", "id-a")], ids=["name", "id"]
)
def test_what_is_told_twice_is_nobody_s(world: World, twice: Listed) -> None:
    world.reading.take([ALICE, BOB])
    world.reading.take([ALICE, twice, BOB])
    assert world.state().pop("bob") is True
    assert not any(on for name, on in world.state().items() if name != "bob")
    world.reading.take([ALICE, BOB])
    assert world.state()["alice"] is True


@pytest.mark.parametrize("listed", [(), (Listed("", "x"), Listed("a\0b"), Listed("x" * 300))])
def test_a_list_of_nobody_is_a_failure_not_a_mass_leaving(world: World, listed: Any) -> None:
    world.reading.take([ALICE, BOB])
    with pytest.raises(DirectoryDown):
        world.reading.take(listed)
    assert world.state() == {"alice": True, "bob": True}


def test_other_sources_are_left_alone(world: World) -> None:
    world.store.put([Person("s", "scim", "alice"), Person("o", "operator", "bob", active=False)])
    world.reading.take([ALICE])
    world.reading.take([BOB])
    held = {(p.source, p.user_name): p.active for p in world.store.people()}
    assert held == {
        ("scim", "alice"): True, ("operator", "bob"): False,
        ("ldap:hq", "alice"): False, ("ldap:hq", "bob"): True,
    }  # fmt: skip


def test_a_change_by_somebody_else_meanwhile_fails_the_reading(world: World) -> None:
    world.reading.take([ALICE, BOB])

    class Slow(MemoryPeople):
        def put(self, people: Any = (), groups: Any = ()) -> Any:
            return "changed"

    world.reading._people._store = Slow()
    with pytest.raises(DirectoryDown, match="while"):
        world.reading.take([ALICE, Listed("carol")])


def test_many_come_in_slices(world: World) -> None:
    many = [Listed(f"p{n}", f"id-{n}") for n in range(1_201)]
    assert world.reading.take(many) == 1_201
    assert world.reading.take(many[1:]) == 1
    assert len({p.version for p in world.store.people()}) == 4


def test_an_employee_number_comes_and_goes_with_what_the_directory_says(world: World) -> None:
    def known() -> dict[str, str]:
        return {p.user_name: p.employee for p in world.store.people()}

    world.reading.take([Listed("alice", "id-a", employee="E-7"), BOB])
    assert known() == {"alice": "E-7", "bob": ""}
    world.reading.take([Listed("alice", "id-a"), Listed("bob", "id-b", employee="a\nb")])
    assert known()["alice"] == ""
    assert "\n" not in known()["bob"]
