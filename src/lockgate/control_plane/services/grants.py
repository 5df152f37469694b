"""Grants: the same tool, within stated bounds, several times and for a while.

A grant is another question than the one it comes from, with the same needs: whoever proposes it and
may answer has said yes by that, once, as one of those who must.
"""

import hashlib
from collections.abc import Sequence

import msgspec
import orjson

from lockgate.approval.edits import at
from lockgate.approval.payload import StoredCall
from lockgate.approval.rules import KEPT_MS
from lockgate.control_plane.services.approvals import Approvals, Shown
from lockgate.control_plane.services.bounds import bound_of
from lockgate.control_plane.services.refused import Refused
from lockgate.model.approval import Bound, Scope
from lockgate.model.inquiry import ENTITY, Asked, Inquiry

MINUTE_MS = 60_000
MOST_USES = 50
LONGEST_MS = 8 * 60 * MINUTE_MS
_OVER = ("denied", "vetoed", "revoked", "cancelled", "superseded")


class Grants:
    """``approvals``: as whoever proposes, looks and ends. Raises ``Refused`` and ``StoreDown``."""

    def __init__(self, approvals: Approvals) -> None:
        self._approvals = approvals

    def propose(self, question: str, uses: int, lasts: int, bounds: Sequence[str]) -> Asked:
        """``lasts``: milliseconds; ``bounds``: see ``bounds.bound_of``. What comes back is in force
        already where nobody else has to agree."""
        seen = self._approvals.show(question)
        call = self._call(seen)
        self._check(seen, uses, lasts)
        scope = _scope(call, [bound_of(text, call.arguments) for text in bounds])
        _check_bounds(seen.asked.inquiry, scope, call)
        asked = self._inquiry(seen.asked.inquiry, scope, uses, lasts)
        payload = self._approvals.store.payload(seen.asked.inquiry.id) or b""
        kept = self._approvals.ask(asked, payload)
        if self._approvals.show(kept.id).voice.factors:
            return self._approvals.answer(kept.id, kept.digest, "yes")
        return Asked(kept)

    def list(self) -> tuple[Shown, ...]:
        """Those in force, newest first."""
        return self._approvals.in_force("grant")

    def end(self, id: str) -> Inquiry:
        """By whoever could have said yes to it, whoever it is for, or who may stop anything."""
        seen = self._approvals.show(id)
        if seen.asked.inquiry.kind != "grant":
            raise Refused(f"{id} is no grant.", "`lockgate approvals grants`.")
        return self._approvals.withdraw(id)

    def _call(self, seen: Shown) -> StoredCall:
        one = seen.asked.inquiry
        if one.kind != "call" or one.state in _OVER:
            raise Refused(f"{one.id} is no question about a call that could go on.")
        if seen.call is None:
            raise Refused("What was asked is kept no more.", "Propose it at the next question.")
        return seen.call

    def _check(self, seen: Shown, uses: int, lasts: int) -> None:
        if not 2 <= uses <= MOST_USES:
            raise Refused(f"A grant is for 2 to {MOST_USES} uses.")
        if not MINUTE_MS <= lasts <= LONGEST_MS:
            raise Refused("A grant lasts from one minute to eight hours.")
        if not (seen.voice.factors or seen.voice.own):
            raise Refused("This is not yours to propose.", "Whoever asks, and who may answer, can.")
        rules = self._approvals.approvers.rules
        if any(rules.of(need.factor).confirm for need in seen.asked.inquiry.needs):
            raise Refused("What its own person confirms is confirmed each time.")

    def _inquiry(self, one: Inquiry, scope: Scope, uses: int, lasts: int) -> Inquiry:
        now, id = self._approvals.now_ms(), self._approvals.random_bytes(16).hex()
        rules = self._approvals.approvers.rules
        pending = min(rules.of(need.factor).pending for need in one.needs)
        body = orjson.dumps([id, one.digest, uses, lasts, msgspec.to_builtins(scope)])
        return Inquiry(
            id=id, kind="grant", digest=hashlib.sha256(b"lockgate/grant/v1\0" + body).hexdigest(),
            title=one.title, holder=one.holder, agent=one.agent, excluded=one.excluded,
            needs=one.needs, created=now, expires=now + pending, window=lasts, binding=one.binding,
            scope=scope, uses=uses, call=one.call, tool=one.tool, parent=one.id,
            kept_until=now + pending + lasts + KEPT_MS,
        )  # fmt: skip


def _scope(call: StoredCall, bounds: Sequence[Bound]) -> Scope:
    who, where = call.principal, call.upstream
    return Scope(who.id, who.agent, where.name, where.fingerprint, call.target, tuple(bounds))


def _check_bounds(one: Inquiry, scope: Scope, call: StoredCall) -> None:
    """All arguments are bounded, the call itself is inside, and whoever answers for one patient
    answers for no other."""
    if not scope.takes(call.call()):
        raise Refused("The bounds do not take the call that was asked about.",
                      "Each of its arguments needs a bound, and must be within it.")  # fmt: skip
    for name in one.tool:
        pointer = name.removeprefix(ENTITY)
        if pointer == name:
            continue
        mine = [b for b in scope.bounds if b.pointer == pointer and b.is_ == "equals"]
        if not any(b.values == (at(call.arguments, pointer),) for b in mine):
            raise Refused(f"{pointer} says who may answer, so it stays as it was asked.",
                          f"Write {pointer}=VALUE.")  # fmt: skip
