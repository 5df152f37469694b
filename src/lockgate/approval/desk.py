"""Where held calls wait: each becomes one question, however often it is asked."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from lockgate.approval import engine
from lockgate.approval.payload import stored
from lockgate.approval.ports import InquiryStore
from lockgate.approval.rules import KEPT_MS, MOST_WAITING, ApprovalRules
from lockgate.model import AuditEvent, Call, Decision, question_of
from lockgate.model.approval import holding
from lockgate.model.inquiry import DONE, LIVE, Inquiry, Kept, Need, plainly


class Held(msgspec.Struct, frozen=True):
    """What became of a call that needs a person."""

    inquiry: Inquiry | None
    """None: it cannot be asked, see ``reason``."""
    reason: str = "approval.needed"
    kept: Kept | None = None
    """It ran already: this is what came of it."""


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
    ) -> None:
        """``new_id``: of events; ``new_secret_id``: of questions, so that nobody guesses one."""
        self._store = store
        self._rules = rules
        self._note = note
        self._now_ms = now_ms
        self._new_id = new_id
        self._new_secret_id = new_secret_id

    async def hold(self, call: Call, decision: Decision) -> Held:
        """Ask, or find what was asked before. Raises ``StoreDown``."""
        held, events = await asyncio.to_thread(self._hold, call, decision)
        self._tell(events)
        return held

    async def finish(self, ids: Sequence[str], why: str, kept: Kept | None) -> None:
        """The call that used these approvals is over; ``kept`` is what was let out of it.
        Raises ``StoreDown``."""
        self._tell(await asyncio.to_thread(self._finish, ids, why, kept))

    def _tell(self, events: Sequence[AuditEvent]) -> None:
        for one in events:
            self._note(one)

    def _hold(self, call: Call, decision: Decision) -> tuple[Held, list[AuditEvent]]:
        rules, now = self._rules(), self._now_ms()
        asked = inquiry_of(call, decision, rules, now, self._new_secret_id())
        if self._too_many(asked, now):
            return Held(None, "approval.too-many"), []
        found = self._store.add(asked, stored(call))
        new = found.id == asked.id
        events = [event(self._new_id(), "requested", found, now)] if new else []
        kept = self._store.kept(found.id) if found.state in DONE else None
        return Held(found, reason_of(found), kept), events

    def _too_many(self, asked: Inquiry, now: int) -> bool:
        live = (a.inquiry.at(now) for a in self._store.listed(sorted(LIVE)))
        mine = [one for one in live if one.holder == asked.holder and one.state == "pending"]
        again = any(one.digest == asked.digest for one in mine)
        return len(mine) >= MOST_WAITING and not again

    def _finish(self, ids: Sequence[str], why: str, kept: Kept | None) -> list[AuditEvent]:
        now = self._now_ms()
        events = []
        for id in ids:
            asked = self._store.get(id)
            if asked is None or asked.inquiry.state != "used":
                continue  # a grant that may be used again
            good = kept is not None and not kept.is_error
            over = engine.finish(asked.inquiry, now, why=why, good=good)
            over = msgspec.structs.replace(over, kept_until=now + KEPT_MS)
            if kept is not None:
                self._store.keep(id, kept)
            if self._store.replace(over):
                events.append(event(self._new_id(), over.state, over, now))
        return events


def reason_of(one: Inquiry) -> str:
    """What whoever asked is told of it."""
    if one.state in LIVE:
        return "approval.needed"
    return "approval.running" if one.state == "used" else one.reason or f"approval.{one.state}"


def inquiry_of(call: Call, decision: Decision, rules: ApprovalRules, now: int, id: str) -> Inquiry:
    """The question that ``decision`` holds ``call`` for."""
    binding = question_of(call, decision)
    factors = sorted({f for verdict in holding(decision) for f in verdict.factors})
    ruled = [rules.of(factor) for factor in factors]
    who = call.principal
    names = {who.subject, who.owner, *who.actors} - {""}
    pending = min(rule.pending for rule in ruled)
    window = min(rule.window for rule in ruled)
    return Inquiry(
        id=id,
        kind="call",
        digest=binding.digest,
        title=f"{call.upstream.name}/{call.tool.name if call.tool else call.method}",
        holder=who.id,
        agent=who.agent,
        excluded=tuple(sorted(names)),
        needs=tuple(Need(f, rule.count) for f, rule in zip(factors, ruled, strict=True)),
        created=now,
        expires=now + pending,
        window=window,
        binding=binding,
        call=call.id,
        tool={"upstream": call.upstream.name, "target": call.target, **_entities(call, ruled)},
        on_retry=any(rule.on_retry for rule in ruled),
        kept_until=now + pending + window + KEPT_MS,
    )


def event(
    id: str, action: str, one: Inquiry, now: int, actor: bytes = b"", **more: Any
) -> AuditEvent:
    """One step of a question, for the journal. ``more``: further impersonal parts."""
    slots = {"actor": actor} if actor else {}
    header = {"action": f"approval.{action}", **plainly(one), **more}
    return AuditEvent(id, one.call, "approval.changed", now, "permit", "approval.changed",
                      header, slots)  # type: ignore[arg-type]  # fmt: skip


def _entities(call: Call, ruled: Sequence[Any]) -> Mapping[str, str]:
    """What relations are about: the values of the arguments that the rules name."""
    found = {}
    for rule in ruled:
        value: Any = call.arguments
        for name in rule.argument.split("/")[1:]:
            value = value.get(name) if isinstance(value, dict) else None
        if rule.argument and isinstance(value, str | int):
            found[f"entity {rule.argument}"] = str(value)
    return found
