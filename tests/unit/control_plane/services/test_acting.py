import json
import os
from collections.abc import Sequence

import pytest

from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.model import AuditEvent, StoreDown
from lockgate.store.memory_events import MemoryEvents


def acting(events: MemoryEvents) -> Acting:
    return Acting(Actor("os:opal", "cli", "opal"), events, lambda: 5, os.urandom)


def test_a_change_is_on_record_with_who_made_it_and_whom_it_is_about() -> None:
    events = MemoryEvents()
    one = acting(events)
    one.record(
        one.event({"action": "key.create"}, {"owner": "alice"}, at=7),
        one.event({"action": "approval.give"}, at=8, call="c-1"),
    )
    first, second = [row.event for row in events.tail(9)]
    assert (first.kind, first.reason, first.effect, first.at) == (
        "admin.changed", "admin.changed", "permit", 7,
    )  # fmt: skip
    assert json.loads(first.slots["actor"]) == {
        "identity": "os:opal", "account": "opal", "via": "cli",
    }  # fmt: skip
    assert json.loads(first.slots["subject"]) == {"owner": "alice"}
    assert first.header == {"action": "key.create"}
    assert (second.call, set(second.slots)) == ("c-1", {"actor"})
    assert len(first.id) == 32


def test_what_cannot_be_recorded_is_said() -> None:
    class Down(MemoryEvents):
        def append(self, events: Sequence[AuditEvent]) -> None:
            raise StoreDown("disk full")

    one = acting(Down())
    with pytest.raises(StoreDown):
        one.record(one.event({}, at=1))
