"""Edited arguments: whoever is asked proposes other ones, and somebody else must agree.

The question that was asked is superseded; the new one is its asker's as before, and is judged again
by policy, schema and quota before it runs.
"""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from lockgate.approval import engine
from lockgate.approval.approvers import name_of
from lockgate.approval.edits import Change, at, diff, edited
from lockgate.approval.payload import StoredCall, stored
from lockgate.approval.questions import entities_of
from lockgate.approval.rules import KEPT_MS
from lockgate.control_plane.services.approvals import Approvals, Shown
from lockgate.control_plane.services.bounds import split, value_of
from lockgate.control_plane.services.refused import Refused
from lockgate.model.approval import Binding
from lockgate.model.inquiry import Inquiry


class Edits:
    """``approvals``: as whoever edits. Raises ``Refused`` and ``StoreDown``."""

    def __init__(self, approvals: Approvals) -> None:
        self._approvals = approvals

    def edit(self, question: str, changes: Sequence[str]) -> Inquiry:
        """``changes``: ``/dose=10``, typed as in ``bounds``. The new question, for others."""
        seen = self._approvals.show(question)
        before = self._call(seen)
        after = edited(before, _values(changes, before.arguments))
        if not diff(before.arguments, after.arguments):
            raise Refused("Nothing would change.", "Approve the question as it is.")
        asked, now = self._inquiry(seen, after), self._approvals.now_ms()
        over = engine.supersede(seen.asked.inquiry, now, "approval.superseded")
        self._approvals.put("superseded", over)
        kept = self._approvals.ask(asked, stored(after.call()))
        if kept.id != asked.id:
            raise Refused(f"The same is asked already: {kept.id}.", "Look at that one.")
        return kept

    def changes(self, question: str) -> tuple[Change, ...]:
        """What an edited question changed of the one it came from; empty where either is kept no
        more."""
        seen = self._approvals.show(question)
        parent = seen.asked.inquiry.parent
        before = self._approvals.show(parent).call if parent else None
        if before is None or seen.call is None:
            return ()
        return diff(before.arguments, seen.call.arguments)

    def _call(self, seen: Shown) -> StoredCall:
        one = seen.asked.inquiry
        if one.kind != "call" or one.state != "pending":
            raise Refused("Only a question about a call that waits can be edited.")
        if seen.voice.own:
            raise Refused("Whoever asks does not edit: call again with other arguments.")
        if not seen.voice.factors:
            raise Refused("This is not yours to edit.", "`lockgate approvals list --mine`.")
        if seen.call is None:
            raise Refused("What was asked is kept no more.")
        return seen.call

    def _inquiry(self, seen: Shown, call: StoredCall) -> Inquiry:
        one = seen.asked.inquiry
        now, rules = self._approvals.now_ms(), self._approvals.approvers.rules
        ruled = [rules.of(need.factor) for need in one.needs]
        binding = replace(one.binding or Binding("", "", ()), call=call.call().digest)
        pending = min(rule.pending for rule in ruled)
        place = {name: one.tool[name] for name in ("upstream", "target")}
        actor = self._approvals.actor
        mine = set(map(name_of, {actor.identity, actor.alias, seen.voice.by} - {""}))
        return replace(
            one, id=self._approvals.random_bytes(16).hex(), digest=binding.digest, binding=binding,
            excluded=tuple(sorted({*one.excluded, *mine})), created=now, expires=now + pending,
            since=one.since or one.created,
            tool={**place, **entities_of(call.call(), ruled)}, parent=one.id, version=1,
            kept_until=now + pending + one.window + KEPT_MS,
        )  # fmt: skip


def _values(changes: Sequence[str], arguments: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in changes:
        pointer, sign, typed = split(text)
        known = at(arguments, pointer)
        if sign != "=" or known is None:
            raise Refused(f"{text!r} changes no argument of the question.", "Write /dose=10.")
        found[pointer] = value_of(pointer, typed, known)
    if not found:
        raise Refused("Nothing would change.", "Write --set /dose=10.")
    return found
