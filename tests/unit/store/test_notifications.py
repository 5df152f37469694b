"""See also ``tests/contract/test_notifications.py``."""

import pytest
from sqlalchemy import Engine, text

from lockgate.model import StoreDown
from lockgate.model.notification import Notification
from lockgate.store.notifications import StoredNotifications

ROW = Notification(channel="ops", inquiry="q1", kind="asked", made=1, due=1)


def test_without_a_database_nothing_is_known(engine: Engine) -> None:
    store = StoredNotifications(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE notification"))
    for attempt in (
        lambda: store.put([ROW]), lambda: store.lease("ops", 1, 2, 1), store.health,
        lambda: store.finish([ROW], "sent", 1), lambda: store.retry([ROW], 1, 1, ""),
        lambda: store.undecided("ops"), lambda: store.forget(1),
    ):  # fmt: skip
        with pytest.raises(StoreDown):
            attempt()


def test_a_fault_is_kept_short(engine: Engine) -> None:
    store = StoredNotifications(engine)
    store.put([ROW])
    store.finish(store.lease("ops", 1, 2, 1), "dead", 1, "x" * 5_000)
    assert len(store.health()["ops"].fault) == 300
