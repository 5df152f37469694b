"""The contract is in ``tests/contract/test_event_store.py``."""

from concurrent.futures import ThreadPoolExecutor

from lockgate.model import AuditEvent
from lockgate.store.memory_events import MemoryEvents


def test_several_threads_lose_nothing() -> None:
    store = MemoryEvents()

    def write(n: int) -> None:
        store.append([AuditEvent(f"e{n}", "c", "call.intent", n, "permit", "auth.missing")])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(500)))
    assert [row.seq for row in store.tail(500)] == list(range(1, 501))
