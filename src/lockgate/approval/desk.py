"""Where held calls wait: each becomes one question, however often it is asked."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from lockgate.approval import engine
from lockgate.approval.edits import Change, diff
from lockgate.approval.payload import read_stored, stored
from lockgate.approval.ports import InquiryStore
from lockgate.approval.questions import event, inquiry_of, reason_of
from lockgate.approval.rules import HOUR_MS, KEPT_MS, MOST_ASKED, MOST_WAITING, ApprovalRules
from lockgate.model import AuditEvent, Call, Decision, Principal, StoreDown, question_of
from lockgate.model.inquiry import DONE, LIVE, Inquiry, Kept

_LATELY = 100
"""Questions of one asker, among which an edit of theirs is looked for."""
RUNNING_SECONDS = 20.0
"""How long whoever asks again waits for what runs: most clients give up after 60."""
LOOK_SECONDS = 0.1
"""Between two looks whether any question has changed; then, and"""
LONGEST_SECONDS = 1.0
"""after this time in any case, it is read whether it is over."""
_TRIES = 5


class Held(msgspec.Struct, frozen=True):
    """What became of a call that needs a person."""

    inquiry: Inquiry | None
    """None: it cannot be asked, see ``reason``."""
    reason: str = "approval.needed"
    kept: Kept | None = None
    """It ran already: this is what came of it."""


class Found(msgspec.Struct, frozen=True):
    """One question, for whoever asked it."""

    inquiry: Inquiry
    call: Call
    """As it was asked about."""
    reason: str
    kept: Kept | None = None
    changes: tuple[Change, ...] = ()
    """What somebody who was asked changed of it."""


class Desk:
    """``note``: puts an event into the journal with the next batch."""

    def __init__(
        self,
        store: InquiryStore,
        rules: Callable[[], ApprovalRules],
        note: Callable[[AuditEvent], None],
        now_ms: Callable[[], int],
        new_id: Callable[[], str],
        new_secret_id: Callable[[], str],
        working: set[str] | None = None,
        changes: Callable[[], int] = lambda: 0,
        patience: float = RUNNING_SECONDS,
    ) -> None:
        """``new_id``: of events; ``new_secret_id``: of questions, so that nobody guesses one;
        ``working``: loses the ids of what is over; ``changes``: rises with every change of any
        question; ``patience``: seconds to wait for what runs."""
        self._store = store
        self._rules = rules
        self._note = note
        self._now_ms = now_ms
        self._new_id = new_id
        self._new_secret_id = new_secret_id
        self._working = set() if working is None else working
        self._changes = changes
        self._patience = patience

    async def hold(self, call: Call, decision: Decision) -> Held:
        """Ask, or find what was asked before. What runs is waited for, a while.
        Raises ``StoreDown``."""
        held, events = await asyncio.to_thread(self._hold, call, decision)
        self._tell(events)
        if held.inquiry is not None and held.inquiry.state == "used":
            held = await self.join((held.inquiry.id,))
        same = held.inquiry is None or held.inquiry.digest == question_of(call, decision).digest
        # What came of other arguments is no answer to these, nor judged as one.
        return held if same or held.kept is None else Held(held.inquiry, "approval.edited")

    async def join(self, ids: Sequence[str]) -> Held:
        """Somebody else runs what these were approved for: what comes of it, if it comes soon.
        Raises ``StoreDown``."""
        loop = asyncio.get_running_loop()
        ends, seen, due = loop.time() + self._patience, -1, 0.0
        while True:
            before, seen = seen, self._changes()
            if seen != before or loop.time() >= due:
                held = await asyncio.to_thread(self._now, ids)
                due = loop.time() + LONGEST_SECONDS
            if held.reason != "approval.running" or loop.time() >= ends:
                return held
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self, id: str, who: Principal) -> Found | None:
        """A question about a call that ``who`` asked, through this same agent; None where there is
        no such one, or it is kept no more. What runs is waited for. Raises ``StoreDown``."""
        found = await asyncio.to_thread(self._look, id, who)
        if found is None or found.inquiry.state != "used":
            return found
        held = await self.join((found.inquiry.id,))
        if held.inquiry is None:
            return found
        return Found(held.inquiry, found.call, held.reason, held.kept, found.changes)

    async def finish(self, ids: Sequence[str], why: str, kept: Kept | None) -> None:
        """The call that used these approvals is over; ``kept`` is what was let out of it.
        Raises ``StoreDown``."""
        try:
            self._tell(await asyncio.to_thread(self._finish, ids, why, kept))
        finally:
            self._working.difference_update(ids)

    async def inquiry(self, id: str) -> Inquiry | None:
        """As the question is now. Raises ``StoreDown``."""
        asked = await asyncio.to_thread(self._store.get, id)
        return asked.inquiry.at(self._now_ms()) if asked is not None else None

    async def ran(self, id: str) -> tuple[Call, Kept] | None:
        """The call that was asked for, and what was let out of it, while that is kept.
        Raises ``StoreDown``."""
        return await asyncio.to_thread(self._ran, id)

    async def withdraw(self, id: str) -> Inquiry | None:
        """Whoever asked takes it back, where that can still be done. As it is then.
        Raises ``StoreDown``."""
        found, events = await asyncio.to_thread(self._withdraw, id)
        self._tell(events)
        return found

    def told(self, one: Inquiry, way: str, call: str) -> None:
        """Record how the client of ``call`` was told that it waits."""
        self._note(event(self._new_id(), "told", one, self._now_ms(), way=way, to=call))

    def _ran(self, id: str) -> tuple[Call, Kept] | None:
        payload, kept = self._store.payload(id), self._store.kept(id)
        if payload is None or kept is None:
            return None
        return read_stored(payload).call(), kept

    def _withdraw(self, id: str) -> tuple[Inquiry | None, list[AuditEvent]]:
        now = self._now_ms()
        for _ in range(_TRIES):
            asked = self._store.get(id)
            if asked is None:
                return None, []
            try:
                changed = engine.cancel(asked.inquiry, now)
            except engine.Refusal:
                return asked.inquiry.at(now), []
            if self._store.replace(changed):
                return changed, [event(self._new_id(), "cancelled", changed, now)]
        raise StoreDown("the question kept changing while it was taken back")

    def _tell(self, events: Sequence[AuditEvent]) -> None:
        for one in events:
            self._note(one)

    def _look(self, id: str, who: Principal) -> Found | None:
        asked, now = self._store.get(id), self._now_ms()
        if asked is None or (asked.inquiry.holder, asked.inquiry.agent) != (who.id, who.agent):
            return None
        one = self._replacement(asked.inquiry).at(now)
        payload = self._store.payload(one.id) if one.kind == "call" else None
        if payload is None:
            return None
        held, call = self.as_it_stands(one), read_stored(payload).call()
        return Found(one, call, held.reason, held.kept, self._changes_of(one, call))

    def _replacement(self, one: Inquiry) -> Inquiry:
        """The edit that took its place, where there is one."""
        while one.state == "superseded":
            mine = (a.inquiry for a in self._store.listed(holder=one.holder, most=_LATELY))
            edit = next((o for o in mine if o.kind == "call" and o.parent == one.id), None)
            if edit is None:
                break
            one = edit
        return one

    def _changes_of(self, one: Inquiry, call: Call) -> tuple[Change, ...]:
        payload = self._store.payload(one.parent) if one.parent else None
        return diff(read_stored(payload).arguments, call.arguments) if payload else ()

    def _now(self, ids: Sequence[str]) -> Held:
        """As the first of them stands that somebody else has used."""
        found = [asked.inquiry for id in ids if (asked := self._store.get(id)) is not None]
        one = next((one for one in found if one.state not in LIVE), None)
        if one is None:
            return Held(None, "approval.used")
        return self.as_it_stands(one)

    def as_it_stands(self, one: Inquiry) -> Held:
        """With what came of it, where it ran. Blocks; raises ``StoreDown``."""
        kept = self._store.kept(one.id) if one.state in DONE else None
        return Held(one, reason_of(one), kept)

    def _hold(self, call: Call, decision: Decision) -> tuple[Held, list[AuditEvent]]:
        rules, now = self._rules(), self._now_ms()
        asked = inquiry_of(call, decision, rules, now, self._new_secret_id())
        if self._too_many(asked, now):
            return Held(None, "approval.too-many"), []
        found = self._edit_of(asked, now) or self._store.add(asked, stored(call))
        new = found.id == asked.id
        events = [event(self._new_id(), "requested", found, now)] if new else []
        return self.as_it_stands(found), events

    def _edit_of(self, asked: Inquiry, now: int) -> Inquiry | None:
        """What somebody who was asked made of the same question: it stands in its place."""
        mine = (a.inquiry for a in self._store.listed(holder=asked.holder, most=_LATELY))
        for one in mine:
            before = self._store.get(one.parent) if one.parent and one.kind == "call" else None
            if before and before.inquiry.digest == asked.digest and one.stands(now):
                return one
        return None

    def _too_many(self, asked: Inquiry, now: int) -> bool:
        listed = self._store.listed(("pending",), holder=asked.holder)
        mine = [a.inquiry for a in listed if a.inquiry.at(now).state == "pending"]
        if any(one.digest == asked.digest for one in mine):
            return False
        lately = self._store.listed(holder=asked.holder, most=MOST_ASKED)
        fast = len(lately) == MOST_ASKED and now - lately[-1].inquiry.created < HOUR_MS
        return len(mine) >= MOST_WAITING or fast

    def _finish(self, ids: Sequence[str], why: str, kept: Kept | None) -> list[AuditEvent]:
        events: list[AuditEvent] = []
        for id in ids:
            events += self._drawn(id, why)
            tries = (self._end(id, why, kept, events) for _ in range(_TRIES))
            if not any(tries):  # each time somebody renewed its lease at this very moment
                raise StoreDown("the question kept changing")
        return events

    def _drawn(self, id: str, why: str) -> list[AuditEvent]:
        """A use of a grant: its last is not the end of all that it let through."""
        asked = self._store.get(id)
        if asked is None or asked.inquiry.kind != "grant":
            return []
        more: dict[str, Any] = {"ended": why, "uses": asked.inquiry.uses}
        return [event(self._new_id(), "drawn", asked.inquiry, self._now_ms(), b"", **more)]

    def _end(self, id: str, why: str, kept: Kept | None, events: list[AuditEvent]) -> bool:
        now, asked = self._now_ms(), self._store.get(id)
        if asked is None or asked.inquiry.state != "used":
            return True  # a grant that may be used again
        good = kept is not None and not kept.is_error
        over = engine.finish(asked.inquiry, now, why=why, good=good)
        over = msgspec.structs.replace(over, kept_until=now + KEPT_MS)
        if kept is not None and over.kind == "call":  # each use of a grant has its own answer
            self._store.keep(id, kept)
        done = self._store.replace(over)
        if done:
            events.append(event(self._new_id(), over.state, over, now))
        return done
