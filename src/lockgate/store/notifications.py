"""What approvers are to be told: an outbox, so that nothing is lost with the process that saw it.

A message is delivered at least once. Who may send it is decided here, by a lease that counts the
tries: whoever comes back after its lease has passed to another changes nothing any more.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Engine, and_, case, delete, func, select, update

from lockgate.model.notification import ChannelHealth, Notification, NotificationState
from lockgate.store.database import insert_into, reading, writing
from lockgate.store.failing import store_errors
from lockgate.store.tables import notification

MOST_IN_ONE = 50
"""Rows of one message. The rest goes out with the next."""
_LONGEST_FAULT = 300
_ROW = notification.c


class StoredNotifications:
    """Satisfies ``approval.ports.NotificationStore``. Each method is one transaction, and raises
    ``StoreDown``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, rows: Sequence[Notification]) -> None:
        if not rows:
            return
        with store_errors("cannot note whom to tell"), writing(self._engine) as connection:
            values = [msgspec.structs.asdict(row) | {"id": row.id} for row in rows]
            put = insert_into(connection, notification)
            connection.execute(put.on_conflict_do_nothing(index_elements=["id"]), values)

    def lease(
        self, channel: str, now: int, until: int, begun_before: int
    ) -> Sequence[Notification]:
        with store_errors("cannot read whom to tell"):
            # Looked at first without the write lock: mostly there is nothing to do.
            with reading(self._engine) as connection:
                if not _leasable(connection, channel, now, begun_before):
                    return ()
            with writing(self._engine) as connection:
                found = _leasable(connection, channel, now, begun_before)
                leased = [taken(row, found[0], now, until) for row in found]
                for row in leased:
                    values = msgspec.structs.asdict(row)
                    connection.execute(update(notification).where(_ROW.id == row.id).values(values))
                return leased

    def finish(
        self, leased: Sequence[Notification], state: NotificationState, now: int, fault: str = ""
    ) -> bool:
        return self._end(leased, state=state, ended=now, leased=0, fault=fault[:_LONGEST_FAULT])

    def retry(self, leased: Sequence[Notification], due: int, now: int, fault: str) -> bool:
        return self._end(leased, due=due, ended=now, leased=0, fault=fault[:_LONGEST_FAULT])

    def undecided(self, channel: str) -> frozenset[str]:
        mine = select(_ROW.inquiry).where(_ROW.channel == channel)
        query = mine.where(_ROW.kind == "asked").except_(mine.where(_ROW.kind == "decided"))
        with store_errors("cannot read whom was told"), reading(self._engine) as connection:
            return frozenset(connection.scalars(query))

    def health(self) -> Mapping[str, ChannelHealth]:
        count = func.count
        query = select(
            _ROW.channel,
            func.max(case((_ROW.state == "sent", _ROW.ended), else_=0)).label("succeeded"),
            func.max(case((_ROW.fault != "", _ROW.ended), else_=0)).label("failed"),
            count(case((_ROW.state == "waiting", 1))).label("waiting"),
            count(case((_ROW.state == "dead", 1))).label("dead"),
        ).group_by(_ROW.channel)
        with store_errors("cannot read how channels do"), reading(self._engine) as connection:
            return {
                row.channel: ChannelHealth(
                    row.succeeded, row.failed, _fault(connection, row), row.waiting, row.dead
                )
                for row in connection.execute(query)
            }

    def forget(self, made_before: int) -> int:
        old = delete(notification).where(_ROW.made < made_before)
        with store_errors("cannot forget what was told"), writing(self._engine) as connection:
            return connection.execute(old).rowcount

    def _end(self, rows: Sequence[Notification], **values: Any) -> bool:
        if not rows:
            return True
        mine = and_(
            _ROW.id.in_([row.id for row in rows]),
            _ROW.state == "waiting",
            _ROW.tries == rows[0].tries,
        )
        with store_errors("cannot note who was told"), writing(self._engine) as connection:
            done = connection.execute(update(notification).where(mine).values(values))
            return done.rowcount == len(rows)


def leasable(
    waiting: Sequence[Notification], now: int, begun_before: int, begun: int
) -> Sequence[Notification]:
    """Of all that waits in one channel, oldest first: what one message is made of now. ``begun``:
    when the channel's newest message was; 0: there was none."""
    under_way = [row for row in waiting if row.message]
    if under_way:
        first = under_way[0]
        if first.leased > now or first.due > now:
            return ()
        return [row for row in under_way if row.message == first.message]
    ready = [row for row in waiting if row.due <= now]
    if not ready or (begun and begun > begun_before):
        return ()
    return [row for row in ready if row.kind == ready[0].kind][:MOST_IN_ONE]


def taken(row: Notification, first: Notification, now: int, until: int) -> Notification:
    """Leased, in the message that begins with ``first``."""
    return replace(row, message=first.message or first.id, begun=first.begun or now,
                   tries=first.tries + 1, leased=until)  # fmt: skip


def _leasable(
    connection: Connection, channel: str, now: int, begun_before: int
) -> Sequence[Notification]:
    query = select(notification).where(_ROW.channel == channel, _ROW.state == "waiting")
    query = query.order_by(_ROW.made, _ROW.id).limit(10 * MOST_IN_ONE)
    waiting = [_notification(row) for row in connection.execute(query)]
    if not waiting:
        return ()
    begun = connection.scalar(select(func.max(_ROW.begun)).where(_ROW.channel == channel))
    return leasable(waiting, now, begun_before, begun or 0)


def _fault(connection: Connection, row: Any) -> str:
    failed = and_(_ROW.channel == row.channel, _ROW.ended == row.failed, _ROW.fault != "")
    return connection.scalar(select(_ROW.fault).where(failed).limit(1)) or ""


def _notification(row: Any) -> Notification:
    values = dict(row._mapping)
    del values["id"]
    return Notification(**values)
