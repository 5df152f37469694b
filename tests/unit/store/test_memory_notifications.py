"""See also ``tests/contract/test_notifications.py``."""

from lockgate.model.notification import Notification
from lockgate.store.memory_notifications import MemoryNotifications


def test_nothing_to_end_is_ended() -> None:
    row = Notification(channel="ops", inquiry="q1", kind="asked", made=1, due=1)
    store = MemoryNotifications()
    assert store.finish([], "sent", 1)
    assert not store.finish([row], "sent", 1)
