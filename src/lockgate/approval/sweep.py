"""What nobody answered or used in time is put on record, once."""

from collections.abc import Callable

from lockgate.approval import engine
from lockgate.approval.desk import event
from lockgate.approval.ports import InquiryStore
from lockgate.model import AuditEvent
from lockgate.model.inquiry import LIVE

_MOST = 10_000


def expire(store: InquiryStore, now: int, new_id: Callable[[], str]) -> list[AuditEvent]:
    """The steps to be journalled. Of several workers that sweep at the same time each question
    falls to one. It counted as expired before, to everybody: this only says so. Blocks; raises
    ``StoreDown``."""
    events = []
    for asked in store.listed(sorted(LIVE), _MOST):
        over = engine.expire(asked.inquiry, now)
        if over is not None and store.replace(over):
            events.append(event(new_id(), "expired", over, now))
    return events
