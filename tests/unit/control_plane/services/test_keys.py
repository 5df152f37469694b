import hashlib
import itertools
import json

import pytest

from lockgate.control_plane.services.keys import DAY_MS, KeyOrder, Keys, NewKey, state_of
from lockgate.control_plane.services.refused import Refused
from lockgate.identity.api_key import hash_of, parse
from lockgate.model import AuditEvent, StoreDown
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.memory_keys import MemoryKeys

NOW = 1_800_000_000_000
PERSONAL = KeyOrder("personal", "alice", 90, roles=("developer",))


class World:
    def __init__(self) -> None:
        self.store = MemoryKeys()
        self.events = MemoryEvents()
        numbers = itertools.count(1)
        self.keys = Keys(
            self.store, self.events, b"pepper", "opal", lambda: NOW,
            lambda count: hashlib.shake_128(b"%d" % next(numbers)).digest(count),
        )  # fmt: skip

    @property
    def journal(self) -> list[AuditEvent]:
        return [row.event for row in self.events.tail(100)]


@pytest.fixture
def world() -> World:
    return World()


def test_a_personal_key(world: World) -> None:
    made = world.keys.create(PERSONAL)
    record = made.record
    assert (record.owner, record.subject) == ("alice", "alice")
    assert record.roles == {"developer"}
    assert record.expires - record.created == 90 * DAY_MS
    assert world.store.list() == (record,)


def test_the_key_itself_is_kept_nowhere(world: World) -> None:
    made = world.keys.create(PERSONAL)
    text = parse(made.text)
    assert text is not None
    assert text.id == made.record.id
    assert made.record.hash == hash_of(made.text, b"pepper")
    assert made.text not in repr(made) + repr(world.store.list()) + repr(world.journal)
    assert isinstance(made, NewKey)


def test_a_service_key_speaks_for_the_service(world: World) -> None:
    record = world.keys.create(KeyOrder("service", "alice", 1, subject="ci", agent="runner")).record
    assert (record.owner, record.subject, record.agent) == ("alice", "ci", "runner")


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (KeyOrder("personal", "", 1), "needs an owner"),
        (KeyOrder("personal", "alice", 0), "1 to 366"),
        (KeyOrder("personal", "alice", 367), "1 to 366"),
        (KeyOrder("personal", "alice", 1, subject="bob"), "speaks for its owner"),
        (KeyOrder("service", "alice", 1), "service's name"),
        (KeyOrder("personal", "al\nice", 1), "--owner"),
        (KeyOrder("personal", " alice", 1), "--owner"),
        (KeyOrder("personal", "a" * 201, 1), "--owner"),
        (KeyOrder("personal", "alice", 1, roles=("a\x1b",)), "--role"),
        (KeyOrder("personal", "alice", 1, roles=("",)), "no name"),
    ],
)
def test_what_is_no_key_is_refused_and_leaves_nothing(
    world: World, order: KeyOrder, says: str
) -> None:
    with pytest.raises(Refused, match=says):
        world.keys.create(order)
    assert world.store.list() == ()
    assert world.journal == []


def test_each_change_is_journalled_with_who_made_it(world: World) -> None:
    made = world.keys.create(PERSONAL)
    world.keys.revoke(made.record.id)
    created, revoked = world.journal
    assert created.kind == revoked.kind == "admin.changed"
    assert [e.header["action"] for e in (created, revoked)] == ["key.create", "key.revoke"]
    assert json.loads(created.slots["actor"])["account"] == "opal"
    assert json.loads(revoked.slots["subject"])["owner"] == "alice"


def test_the_header_names_no_person(world: World) -> None:
    world.keys.create(PERSONAL)
    assert "alice" not in str(world.journal[0].header)
    assert "opal" not in str(world.journal[0].header)


class FailingEvents:
    def append(self, events: object) -> None:
        raise StoreDown("full")


def test_without_a_journal_nothing_changes(world: World) -> None:
    keys = Keys(world.store, FailingEvents(), b"p", "opal", lambda: NOW, bytes)
    with pytest.raises(StoreDown):
        keys.create(PERSONAL)
    assert world.store.list() == ()


def test_revoking(world: World) -> None:
    made = world.keys.create(PERSONAL).record
    assert world.keys.revoke(made.id).revoked == NOW
    assert world.keys.list()[0].revoked == NOW
    with pytest.raises(Refused, match="before"):
        world.keys.revoke(made.id)
    with pytest.raises(Refused, match="no key"):
        world.keys.revoke("gone")


def test_revoking_all_of_a_person(world: World) -> None:
    mine = world.keys.create(PERSONAL).record
    service = world.keys.create(KeyOrder("service", "alice", 1, subject="ci")).record
    other = world.keys.create(KeyOrder("personal", "bob", 1)).record
    assert {r.id for r in world.keys.revoke_all_of("alice")} == {mine.id, service.id}
    assert [r.id for r in world.keys.list() if not r.revoked] == [other.id]
    with pytest.raises(Refused, match="owns no key"):
        world.keys.revoke_all_of("alice")


def test_states(world: World) -> None:
    record = world.keys.create(PERSONAL).record
    assert state_of(record, NOW) == "active"
    assert state_of(record, record.expires) == "expired"
    assert state_of(world.keys.revoke(record.id), NOW) == "revoked"
