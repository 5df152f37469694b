import json
import logging
import os

import pytest

from lockgate.control_plane.services.acting import Actor
from lockgate.control_plane.services.recovery import VALID_MS, Recovery, hash_of
from lockgate.control_plane.services.refused import Refused
from lockgate.model import StoreDown
from lockgate.model.privilege import RECOVERY
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.recovery import TRIES, MemoryRecovery

OPAL = Actor("os:opal", "cli", "opal as root")


class World:
    def __init__(self) -> None:
        self.store = MemoryRecovery()
        self.events = MemoryEvents()
        self.now = 1_800_000_000_000

    def as_(self, actor: Actor = OPAL) -> Recovery:
        return Recovery(self.store, self.events, b"p", actor, lambda: self.now, os.urandom)

    @property
    def actions(self) -> list[tuple[str, str]]:
        return [(r.event.header["action"], r.event.effect) for r in self.events.tail(100)]


@pytest.fixture
def world() -> World:
    return World()


def test_a_code_makes_its_user_the_recovery_admin_once(world: World) -> None:
    code = world.as_().make()
    assert world.as_().use(code) == Actor(RECOVERY, "cli", "opal as root")
    with pytest.raises(Refused, match="not good"):
        world.as_().use(code)
    assert world.actions == [
        ("recovery.make", "permit"), ("recovery.use", "permit"), ("recovery.refuse", "deny"),
    ]  # fmt: skip


def test_only_a_keyed_hash_is_kept(world: World) -> None:
    code = world.as_().make()
    plain = code.replace("-", "")
    seen = repr(world.store.list()) + repr(world.events.tail(9))
    assert plain not in seen
    assert code not in seen
    assert world.store.list()[0].hash == hash_of(plain, b"p") != hash_of(plain, b"q")
    assert len(plain) == 24


def test_how_it_is_typed_does_not_matter(world: World) -> None:
    code = world.as_().make()
    assert world.as_().use(f" {code.lower().replace('-', ' ')} ").identity == RECOVERY


def test_a_code_grows_old(world: World) -> None:
    code = world.as_().make()
    world.now += VALID_MS
    with pytest.raises(Refused, match="not good"):
        world.as_().use(code)


def test_guessing_is_throttled_and_does_not_fill_the_journal(world: World) -> None:
    code = world.as_().make()
    browser = world.as_(Actor("", "console"))
    for _ in range(TRIES):
        with pytest.raises(Refused, match="not good"):
            browser.use("guess")
    rows = len(world.actions)
    for guess in ("guess", code):
        with pytest.raises(Refused, match="Too many"):
            browser.use(guess)
    assert len(world.actions) == rows
    assert world.as_().use(code).identity == RECOVERY, "on the machine itself it goes on"


def test_it_is_journalled_and_logged_loudly(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        code = world.as_().make()
        world.as_().use(code)
    assert [r.levelname for r in caplog.records] == ["WARNING", "WARNING"]
    assert code not in caplog.text
    (made, used) = (row.event for row in world.events.tail(9))
    assert made.reason == used.reason == "admin.recovery"
    assert json.loads(used.slots["actor"])["account"] == "opal as root"


def test_what_cannot_be_recorded_is_not_done(world: World) -> None:
    class Down(MemoryEvents):
        def append(self, events: object) -> None:
            raise StoreDown("full")

    good = world.as_().make()
    world.events = Down()
    with pytest.raises(StoreDown):
        world.as_().make()
    assert world.store.list()[0].hash == hash_of(good, b"p")
    with pytest.raises(StoreDown):
        world.as_().use(good)
