"""The commands are tested in ``cli/test_accounts.py``; here: in which order things happen."""

import asyncio

import pytest

from lockgate.control_plane.services.accounts import ConnectedAccounts, state_of
from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.refused import Refused
from lockgate.model import Account, AuditEvent, StoreDown
from lockgate.store.memory_accounts import MemoryAccounts
from lockgate.store.memory_events import MemoryEvents

ALICE = Account("person:alice", "notes", "https://auth.example", "place", connected=1)


class Down(MemoryEvents):
    def append(self, events: "tuple[AuditEvent, ...]") -> None:  # type: ignore[override]
        raise StoreDown("disk full")


def service(store: MemoryAccounts, events: MemoryEvents) -> ConnectedAccounts:
    acting = Acting(Actor("opal"), events, lambda: 5, lambda count: b"x" * count)
    return ConnectedAccounts(store, acting)


def test_nothing_is_disconnected_that_cannot_be_recorded() -> None:
    store = MemoryAccounts(lambda: 1)
    asyncio.run(store.put(ALICE))
    with pytest.raises(StoreDown):
        service(store, Down()).disconnect("person:alice")
    assert len(store.list()) == 1


def test_the_record_says_who_did_it_and_names_no_person_in_its_header() -> None:
    store, events = MemoryAccounts(lambda: 1), MemoryEvents()
    asyncio.run(store.put(ALICE))
    (done,) = service(store, events).disconnect("person:alice", "notes")
    assert state_of(done) == "connected"
    (recorded,) = events.tail(9)
    assert b"opal" in recorded.event.slots["actor"]
    assert "alice" not in str(recorded.event.header)
    assert recorded.event.header["revoked"] == "not asked"
    with pytest.raises(Refused, match="no account at notes"):
        service(store, events).disconnect("person:alice", "notes")
