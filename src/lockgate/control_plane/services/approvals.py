"""Questions that wait for people, and what one person says to them."""

from collections.abc import Callable, Iterable
from itertools import islice

import msgspec
import orjson

from lockgate.approval import engine
from lockgate.approval.approvers import Approvers, Voice, name_of
from lockgate.approval.facts import still_good
from lockgate.approval.payload import StoredCall, read_stored
from lockgate.approval.ports import InquiryStore
from lockgate.approval.questions import event
from lockgate.approval.rules import MOST_PER_HOUR
from lockgate.control_plane.services.acting import Actor, EventAppender
from lockgate.control_plane.services.approval_history import History, history
from lockgate.control_plane.services.refused import Refused
from lockgate.control_plane.services.subjects import SUBJECTS, Fact
from lockgate.model import REASONS
from lockgate.model.inquiry import LIVE, Answer, Asked, Inquiry, InquiryKind, Kept, Need, Vote

HOUR_MS = 60 * 60_000
_LONGEST_NOTE = 500
_MOST = 10_000
"""Live questions: the oldest of them must not get lost behind what others ask."""
_LOOKED = 1_000
"""Questions among which those that are over are looked for."""


class Shown(msgspec.Struct, frozen=True):
    """One question as one person sees it."""

    asked: Asked
    """As it is now: see ``Inquiry.at``."""
    voice: Voice
    missing: tuple[Need, ...]
    """Who else must agree."""
    call: StoredCall | None = None
    """None where it is of another kind, or kept no more."""
    facts: tuple[Fact, ...] = ()
    """What is asked for, as its subject says; empty in listings, and where it is kept no more."""


class Approvals:
    """``actor``: as whoever looks and answers. Everything blocks and raises ``StoreDown``; what is
    not allowed raises ``Refused``."""

    def __init__(
        self,
        store: InquiryStore,
        events: EventAppender,
        approvers: Approvers,
        actor: Actor,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.store = store
        self.events = events
        self.approvers = approvers
        self.actor = actor
        self.now_ms = now_ms
        self.random_bytes = random_bytes

    def waiting(self) -> tuple[Shown, ...]:
        """What waits for an answer or to be carried out, oldest first: all of it, whoever looks."""
        found = (self._seen(asked) for asked in self.store.listed(sorted(LIVE), _MOST))
        return tuple(reversed([one for one in found if _waits(one.asked.inquiry)]))

    def in_force(self, *kinds: InquiryKind) -> tuple[Shown, ...]:
        """What is approved and holds until it expires or is taken back, newest first."""
        found = (self._seen(asked) for asked in self.store.listed(("approved",), 10_000)
                 if asked.inquiry.kind in kinds)  # fmt: skip
        return tuple(one for one in found if one.asked.inquiry.state == "approved")

    def ask(self, one: Inquiry, payload: bytes) -> Inquiry:
        """Put a question. On record before it is asked; where its asker asks the same already, that
        one comes back."""
        self.record("requested", one, payload)
        return self.store.add(one, payload)

    def past(
        self, most: int = 100, wanted: Callable[[Shown], bool] = lambda _: True
    ) -> tuple[Shown, ...]:
        """What is over and ``wanted``, newest first."""
        found = (self._seen(asked) for asked in self.store.listed(most=_LOOKED))
        over = (one for one in found if one.asked.inquiry.state not in LIVE and wanted(one))
        return tuple(islice(over, most))

    def show(self, id: str) -> Shown:
        """By its own id, or that of the call that asked."""
        # PostgreSQL takes no NUL: it would look as if the store were down.
        asked = (self.store.get(id) or self._of_call(id)) if id.isprintable() else None
        if asked is None:
            raise Refused(f"There is no question {id}.", "`lockgate approvals list`.")
        seen = self._seen(asked)
        payload = self.store.payload(asked.inquiry.id)
        if payload is None:
            return seen
        call = read_stored(payload) if asked.inquiry.kind in ("call", "grant") else None
        facts = SUBJECTS[asked.inquiry.kind].facts(asked.inquiry, payload)
        return msgspec.structs.replace(seen, call=call, facts=facts)

    def answer(self, id: str, digest: str, answer: Answer, note: str = "") -> Asked:
        """Say yes or no to exactly what ``digest`` names; a veto stops what others may answer."""
        seen = self.show(id)
        one, now = seen.asked.inquiry, self.now_ms()
        self._check_note(note)
        if answer == "veto" and not seen.voice.veto:
            raise _refused("approval.not-asked")
        factors = seen.voice.factors
        if answer == "yes":
            self._check_pace(now)
            factors = self._sure_enough(factors)
        given = Vote(one.id, self.actor.identity, answer, digest, now,
                     tuple(sorted(factors)), seen.voice.by, self.actor.via,
                     note.strip(), self.actor.alias)  # fmt: skip
        if answer == "yes" and given not in self.approvers.distinct((*seen.asked.votes, given)):
            raise _refused("approval.voted")
        held = self._held(seen.asked, now)
        try:
            changed = engine.vote(seen.asked, given, own=seen.voice.own, standing=held)
        except engine.Refusal as refusal:
            raise _refused(refusal.fault) from refusal
        self.put("answered", changed.inquiry, given)
        if changed.inquiry.scope is not None and changed.inquiry.state == "approved":
            self._cover(changed.inquiry.parent, now)
        return changed

    def withdraw(self, id: str) -> Inquiry:
        """Take back: one's own question, a yes that was not used yet; and of what is in force, also
        by anybody who could have said yes to it or may stop anything."""
        seen, now = self.show(id), self.now_ms()
        one, mine = seen.asked.inquiry, self.actor.identity
        asker = seen.voice.own and self._asks(one)
        holds = one.state == "approved" and SUBJECTS[one.kind].carried_out == "approval"
        try:
            if asker and not holds:
                changed = engine.cancel(one, now, mine)
            elif asker or _takes_back(seen, mine, holds=holds):
                changed = engine.revoke(one, now, by=mine)
            else:
                raise _refused("approval.not-asked")
        except engine.Refusal as refusal:
            raise _refused(refusal.fault) from refusal
        self.put(changed.state, changed)
        return changed

    def _cover(self, question: str, now: int) -> None:
        """A grant lets through the call that it came of: a yes to that would run it once more."""
        asked = self.store.get(question)
        if asked is None or asked.inquiry.at(now).state != "pending":
            return
        over = engine.supersede(asked.inquiry, now)
        self.record("superseded", over, self.store.payload(question) or b"")
        self.store.replace(over)  # not where somebody has answered it at this very moment

    def _asks(self, one: Inquiry) -> bool:
        """Whether it is the actor's own, by whatever name."""
        names = {self.actor.identity, self.actor.alias} - {""}
        return any(self.approvers.same(name, name_of(one.holder)) for name in names)

    def history(self, seen: Shown) -> History:
        """What the same person and the same agent asked before."""
        return history(self.store, seen.asked.inquiry, self.now_ms())

    def result(self, id: str) -> Kept | None:
        """What came of it, while it is kept."""
        return self.store.kept(self.show(id).asked.inquiry.id)

    def good(self, asked: Asked) -> bool:
        """Whether those who said yes may still say it."""
        return still_good(asked, self.approvers, self.now_ms())

    def _seen(self, asked: Asked) -> Shown:
        now = self.now_ms()
        one = asked.inquiry.at(now)
        asked = Asked(one, asked.votes)
        voice = self._voice(self.actor.identity, one, now, self.actor.alias)
        return Shown(asked, voice, engine.missing(asked, self._held(asked, now)))

    def _held(self, asked: Asked, now: int) -> dict[str, frozenset[str]]:
        """What each who said yes may still speak for."""
        voters = {v.voter: v.alias for v in self.approvers.distinct(asked.votes)}
        return {who: self._voice(who, asked.inquiry, now, alias).factors
                for who, alias in voters.items()}  # fmt: skip

    def _voice(self, identity: str, one: Inquiry, now: int, alias: str) -> Voice:
        found = self.approvers.voice(identity, one, now, alias)
        return SUBJECTS[one.kind].voice(found, identity)

    def _of_call(self, call: str) -> Asked | None:
        return next((a for a in self.store.listed() if a.inquiry.call == call), None)

    def _check_note(self, note: str) -> None:
        if len(note) > _LONGEST_NOTE or (note and not note.isprintable()):
            raise Refused(f"A note is one line of at most {_LONGEST_NOTE} characters.")

    def _check_pace(self, now: int) -> None:
        lately = self.store.yeses(self.actor.identity, now - HOUR_MS)
        if lately >= MOST_PER_HOUR:
            raise Refused(f"You have said yes {lately} times within an hour; that is the most.",
                          "Let somebody else answer, or come back later.")  # fmt: skip

    def _sure_enough(self, factors: frozenset[str]) -> frozenset[str]:
        """Those that a yes may count for from here: a command knows only the machine's login."""
        if self.actor.via != "cli":
            return factors
        rules = self.approvers.rules
        left = frozenset(name for name in factors if not rules.of(name).step_up)
        if factors and not left:
            raise Refused("A yes to this takes a fresh and strong sign-in.",
                          "Answer it in the console; a command cannot show who types.")  # fmt: skip
        return left

    def put(self, step: str, changed: Inquiry, given: Vote | None = None) -> None:
        """Record a step, then make it. Raises ``Refused`` where somebody else was faster."""
        self.record(step, changed, self.store.payload(changed.id) or b"", given)
        if not self.store.replace(changed, given):
            raise Refused("Somebody else changed this at the same moment.", "Look again.")

    def record(
        self, step: str, one: Inquiry, payload: bytes = b"", given: Vote | None = None
    ) -> None:
        """Put a step on record. Raises ``StoreDown``."""
        subject = SUBJECTS[one.kind]
        said = {"answer": given.answer, "speaks_for": list(given.factors)} if given else {}
        row = event(self.random_bytes(16).hex(), step, one, self.now_ms(), self.actor.told(),
                    **said)  # fmt: skip
        header = {**row.header, "action": subject.action(step, given)}
        private = subject.private(one, payload)
        slots = {**row.slots, "subject": orjson.dumps(private)} if private else row.slots
        self.events.append((msgspec.structs.replace(row, header=header, slots=slots),))


def _waits(one: Inquiry) -> bool:
    done = one.state == "approved" and SUBJECTS[one.kind].carried_out == "approval"
    return one.state in LIVE and not done


def _takes_back(seen: Shown, mine: str, *, holds: bool) -> bool:
    said_yes = any(v.voter == mine and v.answer == "yes" for v in seen.asked.votes)
    return said_yes or (holds and (bool(seen.voice.factors) or seen.voice.veto))


def mine(found: Iterable[Shown]) -> tuple[Shown, ...]:
    """Those that whoever looks can answer now."""
    return tuple(one for one in found
                 if one.voice.factors and one.asked.inquiry.state == "pending")  # fmt: skip


def _refused(code: str) -> Refused:
    reason = REASONS[code]
    return Refused(reason.says, reason.remedy)
