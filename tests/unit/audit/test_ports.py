from lockgate.audit.ports import EventStore
from lockgate.store.events import StoredEvents
from lockgate.store.memory_events import MemoryEvents


def test_both_stores_are_event_stores_to_the_type_checker() -> None:
    stores: list[type[EventStore]] = [MemoryEvents, StoredEvents]
    assert len(stores) == 2
