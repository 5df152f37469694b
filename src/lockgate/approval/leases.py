"""Who is at work on approved questions, and what becomes of those whose worker is gone."""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from lockgate.approval import engine
from lockgate.approval.ports import InquiryStore
from lockgate.approval.questions import event
from lockgate.approval.rules import KEPT_MS
from lockgate.model import AuditEvent
from lockgate.model.inquiry import LEASE_MS, LIVE, Inquiry

RENEW_SECONDS = LEASE_MS / 1_000 / 4
MOST = 10_000
"""Live questions that are looked at, the newest. Fewer, and a flood would keep old ones live."""
AT_ONCE = 500
"""That are put on record in one round: the thread that does it also renews leases."""
CALLS = frozenset({"call", "grant"})
"""Kinds that a worker carries out. What becomes of the others is known at once."""


class Leases:
    """Of one worker. Everything blocks and raises ``StoreDown``."""

    def __init__(
        self,
        store: InquiryStore,
        now_ms: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self.working: set[str] = set()
        """Ids of what was used here and is not over yet, by a client's call or the gateway's."""
        self.taken: set[str] = set()
        """Ids of what this worker has set about, whether it was used yet or not."""
        self._store = store
        self._now_ms = now_ms
        self._new_id = new_id

    def renew(self) -> None:
        """Call it every ``RENEW_SECONDS``, so that nobody else takes what is worked on here."""
        for id in sorted(self.working | self.taken):
            asked = self._store.get(id)
            if asked is not None and asked.inquiry.state in ("approved", "used"):
                until = self._now_ms() + LEASE_MS
                self._store.replace(engine.put_off(asked.inquiry, until))

    def sweep(self) -> list[AuditEvent]:
        """End what was begun by a worker that is gone. What the journal is to be told of it."""
        now, gone = self._now_ms(), []
        for asked in self._store.listed(["used"]):
            one = asked.inquiry
            if one.kind in CALLS and one.id not in self.working and now >= one.lease:
                over = replace(engine.interrupt(one, now), kept_until=now + KEPT_MS)
                gone.append((over, "interrupted"))
        return self._put(gone, now)

    def tidy(self) -> list[AuditEvent]:
        """End what nobody answered or used in time; destroy what is kept no more."""
        now = self._now_ms()
        live = [asked.inquiry for asked in self._store.listed(sorted(LIVE), MOST)]
        late = [one for one in live if one.at(now).state == "expired"]
        late = late[-AT_ONCE:]  # the oldest
        events = self._put([(engine.expire(one, now), "expired") for one in late], now)
        self._store.forget(now)
        return events

    def _put(self, changed: Iterable[tuple[Inquiry, str]], now: int) -> list[AuditEvent]:
        """Of several workers only one says what became of each."""
        mine = [(one, action) for one, action in changed if self._store.replace(one)]
        return [event(self._new_id(), action, one, now) for one, action in mine]
