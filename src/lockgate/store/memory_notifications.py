"""``StoredNotifications`` without a database: the same contract."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from lockgate.model.notification import ChannelHealth, Notification, NotificationState
from lockgate.store.notifications import leasable, taken


class MemoryNotifications:
    def __init__(self) -> None:
        self._rows: dict[str, Notification] = {}
        self._lock = threading.Lock()

    def put(self, rows: Sequence[Notification]) -> None:
        with self._lock:
            for row in rows:
                self._rows.setdefault(row.id, row)

    def lease(
        self, channel: str, now: int, until: int, begun_before: int
    ) -> Sequence[Notification]:
        with self._lock:
            mine = [row for row in self._rows.values() if row.channel == channel]
            waiting = [row for row in mine if row.state == "waiting"]
            waiting.sort(key=lambda row: (row.made, row.id))
            begun = max((row.begun for row in mine), default=0)
            found = leasable(waiting, now, begun_before, begun)
            leased = [taken(row, found[0], now, until) for row in found]
            self._rows |= {row.id: row for row in leased}
            return leased

    def finish(
        self, leased: Sequence[Notification], state: NotificationState, now: int, fault: str = ""
    ) -> bool:
        return self._end(leased, state=state, ended=now, leased=0, fault=fault)

    def retry(self, leased: Sequence[Notification], due: int, now: int, fault: str) -> bool:
        return self._end(leased, due=due, ended=now, leased=0, fault=fault)

    def undecided(self, channel: str) -> frozenset[str]:
        mine = [row for row in self._rows.values() if row.channel == channel]
        asked = frozenset(row.inquiry for row in mine if row.kind == "asked")
        return asked - frozenset(row.inquiry for row in mine if row.kind == "decided")

    def health(self) -> Mapping[str, ChannelHealth]:
        channels = {row.channel for row in self._rows.values()}
        return {name: self._health(name) for name in channels}

    def forget(self, made_before: int) -> int:
        with self._lock:
            old = [row.id for row in self._rows.values() if row.made < made_before]
            for id in old:
                del self._rows[id]
            return len(old)

    def _health(self, channel: str) -> ChannelHealth:
        mine = [row for row in self._rows.values() if row.channel == channel]
        failed = max((row for row in mine if row.fault), key=lambda row: row.ended, default=None)
        return ChannelHealth(
            max((row.ended for row in mine if row.state == "sent"), default=0),
            failed.ended if failed else 0,
            failed.fault if failed else "",
            sum(row.state == "waiting" for row in mine),
            sum(row.state == "dead" for row in mine),
        )

    def _end(self, rows: Sequence[Notification], **changes: Any) -> bool:
        with self._lock:
            there = [self._rows.get(row.id) for row in rows]
            mine = [row for row, was in zip(there, rows, strict=True)
                    if row and row.state == "waiting" and row.tries == was.tries]  # fmt: skip
            self._rows |= {row.id: replace(row, **changes) for row in mine}
            return len(mine) == len(rows)
