import hashlib
import itertools
import json
from typing import Any

import msgspec
import pytest

from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.people import (
    NameTaken,
    Overtaken,
    People,
    check_name,
    inactive_names,
    state_of,
)
from lockgate.control_plane.services.refused import Refused
from lockgate.model import AuditEvent, Group, KeyRecord, Person, StoreDown
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.memory_keys import MemoryKeys
from lockgate.store.memory_people import MemoryPeople

NOW = 1_800_000_000_000
ALICE = Person("1", "scim", "alice", "00uA")


class World:
    def __init__(self) -> None:
        self.store = MemoryPeople()
        self.keys = MemoryKeys()
        self.events = MemoryEvents()
        numbers = itertools.count(1)
        self.acting = Acting(
            Actor("os:opal"), self.events, lambda: NOW,
            lambda count: hashlib.shake_128(b"%d" % next(numbers)).digest(count),
        )  # fmt: skip
        self.people = People(self.store, self.keys, self.acting)

    @property
    def journal(self) -> list[AuditEvent]:
        return [row.event for row in self.events.tail(100)]

    @property
    def actions(self) -> list[tuple[str, str]]:
        return [(str(e.header["action"]), str(e.header["target"])) for e in self.journal]

    def read(self, id: str = "1") -> Any:
        (found,) = self.store.find([id])
        return found

    def change(self, **changes: Any) -> None:
        self.people.write([msgspec.structs.replace(self.read(), **changes)])


@pytest.fixture
def world() -> World:
    return World()


def key(id: str, owner: str, subject: str = "") -> KeyRecord:
    kind: Any = "service" if subject else "personal"
    return KeyRecord(id, kind, owner, subject or owner, frozenset(), "", "h", 1, NOW + 1)


def test_a_person_is_written_with_when_it_was_learnt(world: World) -> None:
    world.people.write([ALICE])
    assert world.people.list() == (
        msgspec.structs.replace(ALICE, created=NOW, learned=NOW, version=1),
    )


def test_each_change_is_on_record_without_names_in_its_header(world: World) -> None:
    world.people.write([ALICE])
    world.people.write([Group("g", "scim", "nurses", members=frozenset({"1"}))])
    world.change(active=False)
    world.change(deleted=NOW)
    assert world.actions == [
        ("person.add", "1"), ("group.add", "g"), ("person.change", "1"), ("person.delete", "1"),
    ]  # fmt: skip
    headers = [e.header for e in world.journal]
    assert headers[2]["changed"] == ["active"]
    assert (headers[2]["active"], headers[2]["source"]) == (False, "scim")
    assert not any(name in str(headers) for name in ("alice", "00uA", "nurses", "opal"))
    assert json.loads(world.journal[0].slots["actor"]) == {"identity": "os:opal", "via": "cli"}
    assert json.loads(world.journal[0].slots["subject"])["user_name"] == "alice"
    assert json.loads(world.journal[1].slots["subject"]) == {
        "name": "nurses", "external_id": "", "joined": ["1"],
    }  # fmt: skip


def test_nothing_is_changed_that_cannot_be_recorded(world: World) -> None:
    class Down(MemoryEvents):
        def append(self, events: Any) -> None:
            raise StoreDown("no journal")

    down = msgspec.structs.replace(world.acting, events=Down())
    people = People(world.store, world.keys, down)
    world.keys.add(key("k", "alice"))
    for attempt in (lambda: people.write([ALICE]),
                    lambda: people.set_active("alice", False)):  # fmt: skip
        with pytest.raises(StoreDown):
            attempt()
    assert world.store.people() == ()


def test_what_is_refused_is_neither_recorded_nor_done(world: World) -> None:
    world.keys.add(key("k", "alice"))
    world.people.write([ALICE])
    before = len(world.journal)
    with pytest.raises(NameTaken):
        world.people.write([Person("2", "scim", "ALICE")])
    with pytest.raises(Overtaken):
        world.people.write([msgspec.structs.replace(ALICE, user_name="other")])
    with pytest.raises(Overtaken):
        world.people.write([Person("9", "scim", "nobody", version=4)])
    assert len(world.journal) == before
    assert not world.keys.list()[0].revoked


def test_two_of_one_name_in_one_step_are_refused_by_the_store(world: World) -> None:
    with pytest.raises(NameTaken):
        world.people.write([Person("2", "ldap:a", "x"), Person("3", "ldap:a", "X")])


@pytest.mark.parametrize(
    "change", [{"deleted": NOW, "active": False}, {"user_name": "a.smith"}], ids=["gone", "renamed"]
)
def test_keys_under_a_name_that_is_given_up_are_revoked(
    world: World, change: dict[str, Any]
) -> None:
    """Whoever has the name next must not be who holds them."""
    world.people.write([ALICE])
    for one in (key("k1", "Alice"), key("k2", "alice", "robot"), key("k3", "bob")):
        world.keys.add(one)
    world.change(**change)
    assert {k.id: bool(k.revoked) for k in world.keys.list()} == {
        "k1": True, "k2": True, "k3": False,
    }  # fmt: skip
    assert [a for a in world.actions if a[0] == "key.revoke"] == [
        ("key.revoke", "k1"), ("key.revoke", "k2"),
    ]  # fmt: skip


def test_keys_of_one_who_is_only_inactive_are_not_revoked(world: World) -> None:
    world.people.write([ALICE])
    world.keys.add(key("k1", "alice"))
    world.change(active=False)
    world.change(user_name="ALICE")
    assert not world.keys.list()[0].revoked


def test_an_operator_blocks_whom_nobody_knows_and_takes_it_back(world: World) -> None:
    done = world.people.set_active("bob", False)
    assert (done.source, done.active) == ("operator", False)
    with pytest.raises(Refused, match="already"):
        world.people.set_active("BOB", False)
    assert world.people.set_active("bob", True).active
    assert [p.active for p in world.people.list()] == [True]


def test_an_operator_s_word_stands_beside_that_of_other_sources(world: World) -> None:
    world.people.write([ALICE])
    world.people.set_active("00uA", False)
    assert [(p.source, p.active) for p in world.people.list()] == [
        ("scim", True), ("operator", False),
    ]  # fmt: skip
    world.change(active=False)
    with pytest.raises(Refused, match="scim says"):
        world.people.set_active("alice", True)


def test_an_operator_does_not_bring_back_whom_a_source_has_deleted(world: World) -> None:
    world.people.write([ALICE])
    world.people.delete(world.read())
    with pytest.raises(Refused, match="scim says"):
        world.people.set_active("alice", True)
    assert world.people.list() == ()


@pytest.mark.parametrize("name", ["", " a", "a\n", "a\0", "x" * 257, "\u202ealice"])
def test_names_are_plain_text(world: World, name: str) -> None:
    with pytest.raises(Refused):
        world.people.set_active(name, False)
    with pytest.raises(Refused):
        check_name("userName", name)


def test_everything_said_of_a_name_is_found(world: World) -> None:
    world.people.write([ALICE])
    world.people.set_active("Alice", False)
    assert len(world.people.known_as("alice")) == 2
    with pytest.raises(Refused):
        world.people.known_as("bob")


def test_states() -> None:
    assert state_of(ALICE) == "active"
    assert state_of(msgspec.structs.replace(ALICE, active=False)) == "inactive"
    assert state_of(msgspec.structs.replace(ALICE, active=False, deleted=5)) == "deleted"


def test_names_that_nobody_is_let_in_under() -> None:
    gone = Person("1", "scim", "Alice", "00uA", active=False, deleted=5)
    assert inactive_names([gone]) == {"alice", "00ua"}
    assert inactive_names([gone, Person("2", "scim", "alice")]) == {"00ua"}
    blocked = Person("3", "operator", "alice", active=False)
    assert inactive_names([Person("2", "scim", "alice"), blocked]) == {"alice"}
