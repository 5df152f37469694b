import time

from sqlalchemy import Engine

from lockgate.model import AuditEvent
from lockgate.model.listed_call import CallsWanted
from lockgate.store.calls import StoredCalls
from lockgate.store.events import StoredEvents


def test_ten_thousand_rows_are_looked_through_quickly(sqlite: Engine) -> None:
    """A generous bound; what it takes here is a few hundredths of a second."""
    header = {"method": "tools/call", "upstream": "git", "target": "push", "pad": "x" * 900}
    rows = []
    for number in range(5_000):
        slots = {"actor": b'{"kind":"person","subject":"p%d"}' % (number % 50)}
        call = f"c{number}"
        rows.append(AuditEvent(f"{call}-1", call, "call.intent", number, "permit", "x", header,
                               slots))  # type: ignore[arg-type] # fmt: skip
        rows.append(AuditEvent(f"{call}-2", call, "call.outcome", number + 5, "permit", "x",
                               header))  # fmt: skip
    StoredEvents(sqlite).append(rows)
    calls = StoredCalls(sqlite)
    began = time.perf_counter()
    assert len(calls.page(CallsWanted(), 0, 50).calls) == 50
    assert len(calls.page(CallsWanted(principal="p7"), 0, 50).calls) == 50
    assert calls.page(CallsWanted(reason="none"), 0, 50).calls == ()
    assert sum(count for _, _, count in calls.tally(0, 1_000).counts) == 5_000
    assert time.perf_counter() - began < 2.0
