"""Questions that wait for people, and what one person says to them."""

from collections.abc import Callable, Iterable

import msgspec

from lockgate.approval import engine
from lockgate.approval.approvers import Approvers, Voice
from lockgate.approval.desk import event
from lockgate.approval.facts import still_good
from lockgate.approval.payload import StoredCall, read_stored
from lockgate.approval.ports import InquiryStore
from lockgate.approval.rules import MOST_PER_HOUR
from lockgate.control_plane.services.acting import EventAppender
from lockgate.control_plane.services.approval_history import History, history
from lockgate.control_plane.services.privileges import Actor
from lockgate.control_plane.services.refused import Refused
from lockgate.model import REASONS
from lockgate.model.inquiry import LIVE, Answer, Asked, Inquiry, Kept, Need, Vote

HOUR_MS = 60 * 60_000
_LONGEST_NOTE = 500


class Shown(msgspec.Struct, frozen=True):
    """One question as one person sees it."""

    asked: Asked
    """As it is now: see ``Inquiry.at``."""
    voice: Voice
    missing: tuple[Need, ...]
    """Who else must agree."""
    call: StoredCall | None = None
    """None where it is of another kind, or kept no more."""


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
        self._store = store
        self._events = events
        self._approvers = approvers
        self._actor = actor
        self._now_ms = now_ms
        self._random_bytes = random_bytes

    def waiting(self) -> tuple[Shown, ...]:
        """What is pending or approved, oldest first: all of it, whoever looks."""
        found = (self._seen(asked) for asked in self._store.listed(sorted(LIVE)))
        return tuple(reversed([one for one in found if one.asked.inquiry.state in LIVE]))

    def past(self, most: int = 100) -> tuple[Shown, ...]:
        """What is over, newest first."""
        found = (self._seen(asked) for asked in self._store.listed(most=most))
        return tuple(one for one in found if one.asked.inquiry.state not in LIVE)

    def show(self, id: str) -> Shown:
        """By its own id, or that of the call that asked."""
        asked = self._store.get(id) or self._of_call(id)
        if asked is None:
            raise Refused(f"There is no question {id}.", "`lockgate approvals list`.")
        seen = self._seen(asked)
        payload = self._store.payload(asked.inquiry.id)
        if payload is None or asked.inquiry.kind not in ("call", "grant"):
            return seen
        return msgspec.structs.replace(seen, call=read_stored(payload))

    def answer(self, id: str, digest: str, answer: Answer, note: str = "") -> Asked:
        """Say yes or no to exactly what ``digest`` names; a veto stops what others may answer."""
        seen = self.show(id)
        one, now = seen.asked.inquiry, self._now_ms()
        self._check_note(note)
        if answer == "veto" and not seen.voice.veto:
            raise _refused("approval.not-asked")
        factors = seen.voice.factors
        if answer == "yes":
            self._check_pace(now)
            factors = self._sure_enough(factors)
        given = Vote(one.id, self._actor.identity, answer, digest, now,
                     tuple(sorted(factors)), seen.voice.by, self._actor.via,
                     note.strip())  # fmt: skip
        held = self._held(seen.asked, now)
        try:
            changed = engine.vote(seen.asked, given, own=seen.voice.own, standing=held)
        except engine.Refusal as refusal:
            raise _refused(refusal.fault) from refusal
        self._put("answered", changed.inquiry, now, given)
        return changed

    def withdraw(self, id: str) -> Inquiry:
        """Take back: one's own question, or a yes that was not used yet."""
        seen, now = self.show(id), self._now_ms()
        one, mine = seen.asked.inquiry, self._actor.identity
        said_yes = any(v.voter == mine and v.answer == "yes" for v in seen.asked.votes)
        try:
            if seen.voice.own and self._approvers.same(mine, one.holder.partition(":")[2]):
                changed = engine.cancel(one, now)
            elif said_yes:
                changed = engine.revoke(one, now)
            else:
                raise _refused("approval.not-asked")
        except engine.Refusal as refusal:
            raise _refused(refusal.fault) from refusal
        self._put(changed.state, changed, now)
        return changed

    def history(self, seen: Shown) -> History:
        """What the same person and the same agent asked before."""
        return history(self._store, seen.asked.inquiry, self._now_ms())

    def result(self, id: str) -> Kept | None:
        """What came of it, while it is kept."""
        return self._store.kept(self.show(id).asked.inquiry.id)

    def good(self, asked: Asked) -> bool:
        """Whether those who said yes may still say it."""
        return still_good(asked, self._approvers, self._now_ms())

    def _seen(self, asked: Asked) -> Shown:
        now = self._now_ms()
        one = asked.inquiry.at(now)
        asked = Asked(one, asked.votes)
        voice = self._approvers.voice(self._actor.identity, one, now)
        return Shown(asked, voice, engine.missing(asked, self._held(asked, now)))

    def _held(self, asked: Asked, now: int) -> dict[str, frozenset[str]]:
        """What each who said yes may still speak for."""
        voters = {v.voter for v in asked.votes}
        return {v: self._approvers.voice(v, asked.inquiry, now).factors for v in voters}

    def _of_call(self, call: str) -> Asked | None:
        return next((a for a in self._store.listed() if a.inquiry.call == call), None)

    def _check_note(self, note: str) -> None:
        if len(note) > _LONGEST_NOTE or (note and not note.isprintable()):
            raise Refused(f"A note is one line of at most {_LONGEST_NOTE} characters.")

    def _check_pace(self, now: int) -> None:
        lately = self._store.yeses(self._actor.identity, now - HOUR_MS)
        if lately >= MOST_PER_HOUR:
            raise Refused(f"You have said yes {lately} times within an hour; that is the most.",
                          "Let somebody else answer, or come back later.")  # fmt: skip

    def _sure_enough(self, factors: frozenset[str]) -> frozenset[str]:
        """Those that a yes may count for from here: a command knows only the machine's login."""
        if self._actor.via != "cli":
            return factors
        rules = self._approvers.rules
        left = frozenset(name for name in factors if not rules.of(name).step_up)
        if factors and not left:
            raise Refused("A yes to this takes a fresh and strong sign-in.",
                          "Answer it in the console; a command cannot show who types.")  # fmt: skip
        return left

    def _put(self, action: str, changed: Inquiry, now: int, given: Vote | None = None) -> None:
        said = {"answer": given.answer, "speaks_for": list(given.factors)} if given else {}
        row = event(self._random_bytes(16).hex(), action, changed, now, self._actor.told(), **said)
        self._events.append((row,))
        if not self._store.replace(changed, given):
            raise Refused("Somebody else answered at the same moment.", "Look again.")


def mine(found: Iterable[Shown]) -> tuple[Shown, ...]:
    """Those that whoever looks can answer now."""
    return tuple(one for one in found
                 if one.voice.factors and one.asked.inquiry.state == "pending")  # fmt: skip


def _refused(code: str) -> Refused:
    reason = REASONS[code]
    return Refused(reason.says, reason.remedy)
