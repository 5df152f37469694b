"""``StoredInquiries`` without a database: the same contract."""

import threading
from collections.abc import Callable, Sequence

from lockgate.model import StoreDown
from lockgate.model.inquiry import LIVE, Asked, Asker, Delegation, Inquiry, InquiryState, Kept, Vote
from lockgate.store.inquiries import ANSWERED, claimed

Clock = Callable[[], int]
"""Milliseconds since the Unix epoch."""


class MemoryInquiries:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[str, Inquiry] = {}
        self._votes: dict[str, tuple[Vote, ...]] = {}
        self._payloads: dict[str, bytes] = {}
        self._results: dict[str, Kept] = {}
        self._delegations: dict[str, Delegation] = {}
        self._version = 0
        self._lock = threading.Lock()

    def add(self, one: Inquiry, payload: bytes) -> Inquiry:
        with self._lock:
            now = self._clock()
            wanted = (one.holder, one.digest)
            mine = [o for o in self._rows.values() if (o.holder, o.digest) == wanted]
            for other in sorted(mine, key=lambda o: (o.created, o.id), reverse=True):
                if other.stands(now):
                    return other
            if one.id in self._rows:
                raise StoreDown("cannot record the question: its id is taken")
            self._rows[one.id], self._payloads[one.id] = one, payload
            self._version += 1
            return one

    def replace(self, changed: Inquiry, vote: Vote | None = None) -> bool:
        with self._lock:
            found = self._rows.get(changed.id)
            if found is None or found.version != changed.version - 1:
                return False
            self._rows[changed.id] = changed
            if vote is not None:
                self._votes[changed.id] = (*self._votes.get(changed.id, ()), vote)
            self._version += 1
            return True

    def claim(self, ids: Sequence[str], node: str, now: int) -> bool:
        with self._lock:
            found = [self._rows.get(id) for id in sorted(set(ids))]
            used = [claimed(one, node, now) if one else None for one in found]
            if None in used:
                return False
            self._rows |= {one.id: one for one in used if one is not None}
            self._version += 1
            return True

    def get(self, id: str) -> Asked | None:
        found = self._rows.get(id)
        return None if found is None else Asked(found, self._votes.get(id, ()))

    def listed(
        self, states: Sequence[InquiryState] = (), most: int = 1_000, holder: str = ""
    ) -> tuple[Asked, ...]:
        rows = sorted(self._rows.values(), key=lambda o: (o.created, o.id), reverse=True)
        fit = [o for o in rows if (not states or o.state in states) and holder in ("", o.holder)]
        return tuple(Asked(o, self._votes.get(o.id, ())) for o in fit[:most])

    def earlier(self, one: Inquiry, by: Asker, most: int) -> tuple[Asked, ...]:
        same = (a for a in self.listed(most=len(self._rows)) if a.inquiry.title == one.title)
        mine = [a for a in same if getattr(a.inquiry, by) == getattr(one, by)
                and a.inquiry.id != one.id and a.inquiry.created <= one.created]  # fmt: skip
        return tuple(mine[:most])

    def yeses(self, voter: str, since: int) -> int:
        said = (v for votes in self._votes.values() for v in votes)
        return sum(v.voter == voter and v.at > since and v.answer == "yes" for v in said)

    def payload(self, id: str) -> bytes | None:
        return self._payloads.get(id) if self._keeps(id) else None

    def keep(self, id: str, result: Kept) -> None:
        self._results[id] = result
        self._version += 1

    def kept(self, id: str) -> Kept | None:
        return self._results.get(id) if self._keeps(id) else None

    def forget(self, now: int) -> int:
        with self._lock:
            old = [o.id for o in self._rows.values() if o.kept_until <= now]
            gone = [id for id in old if id in self._payloads or id in self._results]
            for id in gone:
                self._payloads.pop(id, None)
                self._results.pop(id, None)
                self._rows[id] = self._rows[id].without_values()
            return len(gone)

    def delegate(self, one: Delegation) -> None:
        self._delegations[one.id] = one
        self._version += 1

    def delegations(self) -> tuple[Delegation, ...]:
        return tuple(sorted(self._delegations.values(), key=lambda d: d.id))

    def changed_delegations(self, since: int) -> tuple[int, tuple[Delegation, ...]] | None:
        return None if since == self._version else (self._version, self.delegations())

    def changed(self, since: int) -> tuple[int, tuple[Asked, ...]] | None:
        if since == self._version:
            return None
        return self._version, self.listed(sorted(LIVE), 10_000)

    def answered(self, now: int) -> tuple[Inquiry, ...]:
        found = (asked.inquiry for asked in self.listed(ANSWERED, 10_000))
        return tuple(one for one in found if one.kind == "call" and one.kept_until > now)

    def _keeps(self, id: str) -> bool:
        return id in self._rows and self._rows[id].kept_until > self._clock()
