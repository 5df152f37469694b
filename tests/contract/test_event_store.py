"""What every ``audit.ports.EventStore`` must do."""

from collections.abc import Sequence
from typing import Any

import pytest

from lockgate.audit.ports import EventStore
from lockgate.model import AuditEvent, EventRefused, Recorded
from lockgate.store.events import StoredEvents
from lockgate.store.memory_events import MemoryEvents


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> EventStore:
    if request.param == "memory":
        return MemoryEvents()
    return StoredEvents(request.getfixturevalue(request.param))


def event(number: int, call: str = "c1", **more: Any) -> AuditEvent:
    fields: dict[str, Any] = {
        "kind": "call.intent",
        "at": number,
        "effect": "permit",
        "reason": "auth.missing",
    }
    return AuditEvent(id=f"e{number}", call=call, **(fields | more))


def ids(rows: Sequence[Recorded]) -> list[str]:
    return [row.event.id for row in rows]


FULL = event(
    7,
    header={"method": "tools/call", "target": "näme\u2028", "verdicts": [["policy.cedar", 0]]},
    slots={"args": b'{"a": 1.0}', "actor": b'{"subject":"alice"}'},
)


def test_what_is_read_back_is_what_was_written(store: EventStore) -> None:
    store.append([FULL])
    found = store.by_event("e7")
    assert found is not None
    assert found.event == FULL
    assert store.tail(1)[0] == found


def test_an_empty_store_has_nothing(store: EventStore) -> None:
    assert store.count() == 0
    assert ids(store.tail(10)) == []
    assert ids(store.tail(10, 0)) == []
    assert store.by_event("e1") is None
    assert ids(store.by_call("c1")) == []


def test_appending_nothing_is_allowed(store: EventStore) -> None:
    store.append([])
    assert store.count() == 0


def test_order_is_the_order_of_writing_not_of_time(store: EventStore) -> None:
    store.append([event(3), event(1)])
    store.append([event(2)])
    assert ids(store.tail(10)) == ["e3", "e1", "e2"]
    assert ids(store.by_call("c1")) == ["e3", "e1", "e2"]
    seqs = [row.seq for row in store.tail(10)]
    assert seqs == sorted(set(seqs))


def test_the_tail_is_the_newest_oldest_first(store: EventStore) -> None:
    store.append([event(n) for n in range(1, 6)])
    assert ids(store.tail(2)) == ["e4", "e5"]


def test_following_pages_on_from_a_place(store: EventStore) -> None:
    store.append([event(n) for n in range(1, 6)])
    first = store.tail(2, 0)
    assert ids(first) == ["e1", "e2"]
    assert ids(store.tail(2, first[-1].seq)) == ["e3", "e4"]
    assert ids(store.tail(2, store.tail(1)[0].seq)) == []


def test_a_call_is_found_among_others(store: EventStore) -> None:
    store.append([event(1, "c1"), event(2, "c2"), event(3, "c1", kind="call.outcome")])
    assert ids(store.by_call("c1")) == ["e1", "e3"]


@pytest.mark.parametrize("first", [[event(1), event(2)], [event(2)]])
def test_an_id_twice_is_refused_and_named(store: EventStore, first: list[AuditEvent]) -> None:
    store.append(first)
    with pytest.raises(EventRefused) as refused:
        store.append([event(3), event(2), event(4)])
    assert refused.value.event == "e2"
    assert refused.value.duplicate
    assert store.count() == len(first), "nothing of a failed batch may stay"


def test_an_id_twice_in_one_batch_is_refused(store: EventStore) -> None:
    with pytest.raises(EventRefused) as refused:
        store.append([event(1), event(2), event(1)])
    assert refused.value.event == "e1"
    assert store.count() == 0


@pytest.mark.parametrize("header", [{"a": object()}, {"a": "\ud800"}, {"a": 2**70}])
def test_a_header_that_is_not_json_is_refused(store: EventStore, header: dict[str, object]) -> None:
    with pytest.raises(EventRefused) as refused:
        store.append([event(1), event(2, header=header)])
    assert (refused.value.event, refused.value.duplicate) == ("e2", False)
    assert store.count() == 0


def test_what_is_on_record_does_not_change_with_its_maker(store: EventStore) -> None:
    header = {"list": [1]}
    store.append([event(1, header=header)])
    header["list"].append(2)
    found = store.by_event("e1")
    assert found is not None
    assert found.event.header == {"list": [1]}
