from lockgate.audit.ports import EventStore
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.sqlite_events import SqliteEvents


def test_both_stores_are_event_stores_to_the_type_checker() -> None:
    stores: list[type[EventStore]] = [MemoryEvents, SqliteEvents]
    assert len(stores) == 2
