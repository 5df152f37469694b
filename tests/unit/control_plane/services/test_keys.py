import hashlib
import itertools
import json
import os

import msgspec
import pytest

from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.keys import DAY_MS, KeyOrder, Keys, NewKey, state_of
from lockgate.control_plane.services.refused import Refused
from lockgate.identity.api_key import hash_of, parse
from lockgate.model import AuditEvent, KeyRecord, StoreDown
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.memory_keys import MemoryKeys

OPAL = Actor("os:opal", "cli", "opal")
NOW = 1_800_000_000_000
PERSONAL = KeyOrder("personal", "alice", 90, roles=("developer",))


class World:
    def __init__(self) -> None:
        self.store = MemoryKeys()
        self.events = MemoryEvents()
        numbers = itertools.count(1)
        acting = Acting(
            OPAL, self.events, lambda: NOW,
            lambda count: hashlib.shake_128(b"%d" % next(numbers)).digest(count),
        )  # fmt: skip
        self.keys = Keys(self.store, acting, b"pepper")

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
        (KeyOrder("personal", "alice", 1, scopes=("",)), "A scope"),
        (KeyOrder("personal", "alice", 1, scopes=('a"b',)), "A scope"),
        (KeyOrder("personal", "alice", 1, scopes=("a" * 201,)), "A scope"),
        (KeyOrder("personal", "alice", 1, networks=("10.1.2.3/8",)), "host bits"),
        (KeyOrder("personal", "alice", 1, networks=("everywhere",)), "is no network"),
        (KeyOrder("personal", "alice", 1, networks=("10.0.0.0/8",) * 33), "32 networks"),
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
    world.keys.create(KeyOrder("personal", "alice", 1, networks=("192.0.2.7",)))
    assert "192.0.2.7" not in str(world.journal[1].header)
    assert json.loads(world.journal[1].slots["subject"])["networks"] == ["192.0.2.7/32"]


class FailingEvents:
    def append(self, events: object) -> None:
        raise StoreDown("full")


def test_without_a_journal_nothing_changes(world: World) -> None:
    keys = Keys(world.store, Acting(OPAL, FailingEvents(), lambda: NOW, bytes), b"p")
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


HOUR_MS = 3_600_000
WHOLE = KeyOrder("service", "alice", 90, "ci", ("builder",), "runner", ("read",), ("10.0.0.0/8",))


def test_a_successor_is_all_the_key_was(world: World) -> None:
    old = world.keys.create(WHOLE).record
    world.store.note_used({old.id: NOW})
    used = msgspec.structs.replace(old, used=NOW)
    done = world.keys.rotate(old.id, 24 * HOUR_MS)
    new = done.new.record
    assert new == msgspec.structs.replace(old, id=new.id, hash=hash_of(done.new.text, b"pepper"))
    assert new.id != old.id
    assert done.old == msgspec.structs.replace(used, successor=new.id, expires=NOW + 24 * HOUR_MS)
    kept = {record.id: record for record in world.store.list()}
    assert kept == {old.id: done.old, new.id: new}


def test_no_key_lives_longer_by_being_rotated(world: World) -> None:
    old = world.keys.create(PERSONAL).record
    done = world.keys.rotate(old.id, 200 * DAY_MS, days=10)
    assert done.old.expires == old.expires
    assert done.new.record.expires == NOW + 10 * DAY_MS


def test_rotation_is_journalled_on_both_sides(world: World) -> None:
    old = world.keys.create(PERSONAL).record
    new = world.keys.rotate(old.id, HOUR_MS).new.record
    _, made, ended = world.journal
    assert (made.header["action"], made.header["target"]) == ("key.create", new.id)
    assert made.header["predecessor"] == old.id
    assert (ended.header["action"], ended.header["target"]) == ("key.rotate", old.id)
    assert (ended.header["successor"], ended.header["expires"]) == (new.id, NOW + HOUR_MS)


def test_what_cannot_be_rotated(world: World) -> None:
    revoked = world.keys.create(PERSONAL).record
    world.keys.revoke(revoked.id)
    expired = world.keys.create(PERSONAL).record
    world.keys.rotate(expired.id, 0)
    rotated = world.keys.create(PERSONAL).record
    next_one = world.keys.rotate(rotated.id, HOUR_MS).new.record
    fresh = world.keys.create(PERSONAL).record
    before = world.store.list(), len(world.journal)
    with pytest.raises(Refused, match="is revoked"):
        world.keys.rotate(revoked.id, HOUR_MS)
    with pytest.raises(Refused, match="is expired"):
        world.keys.rotate(expired.id, HOUR_MS)
    with pytest.raises(Refused, match=next_one.id):
        world.keys.rotate(rotated.id, HOUR_MS)
    with pytest.raises(Refused, match="no key"):
        world.keys.rotate("gone", HOUR_MS)
    with pytest.raises(Refused, match="1 to 366"):
        world.keys.rotate(fresh.id, HOUR_MS, days=0)
    assert (world.store.list(), len(world.journal)) == before


class Racing(MemoryKeys):
    """Somebody else revokes the key between our look and our change."""

    def rotate(self, key_id: str, successor: KeyRecord, expires: int) -> bool:
        self.revoke(key_id, NOW)
        return super().rotate(key_id, successor, expires)


def test_a_key_that_is_revoked_meanwhile_gets_no_successor(world: World) -> None:
    store = Racing()
    keys = Keys(store, Acting(OPAL, world.events, lambda: NOW, os.urandom), b"pepper")
    old = keys.create(PERSONAL).record
    with pytest.raises(Refused, match="meanwhile"):
        keys.rotate(old.id, HOUR_MS)
    assert [record.id for record in store.list()] == [old.id]


def test_revoking_all_of_a_person_reaches_what_was_rotated(world: World) -> None:
    old = world.keys.create(PERSONAL).record
    new = world.keys.rotate(old.id, HOUR_MS).new.record
    assert {r.id for r in world.keys.revoke_all_of("alice")} == {old.id, new.id}


class Rotating(MemoryKeys):
    """Somebody else rotates each key just before it is revoked, once."""

    def revoke(self, key_id: str, at: int) -> bool:
        (first, *more) = self.list()
        if not more:
            self.rotate(first.id, msgspec.structs.replace(first, id="successor"), first.expires)
        return super().revoke(key_id, at)


def test_a_key_that_is_rotated_while_its_owner_is_revoked_leaves_no_successor(world: World) -> None:
    store = Rotating()
    keys = Keys(store, Acting(OPAL, world.events, lambda: NOW, os.urandom), b"pepper")
    old = keys.create(PERSONAL).record
    assert {r.id for r in keys.revoke_all_of("alice")} == {old.id, "successor"}
    assert all(record.revoked for record in store.list())
