"""Which steps of which questions approvers are to be told."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from lockgate.approval.channels import AnyChannel, Webhook
from lockgate.approval.ports import NotificationStore
from lockgate.approval.rules import MINUTE_MS, ApprovalRules
from lockgate.model.inquiry import Asked, Inquiry
from lockgate.model.notification import Notification, NotificationKind

Channels = Mapping[str, AnyChannel]
"""By name."""

SHORTEST_MS = 5 * MINUTE_MS
"""Questions that wait for less are over before a reminder would be read."""
REMIND_AT = 5
"""When a fifth of its time is left."""


class Herald:
    """Sees what waits, and writes down whom to tell. Every worker has one and they may all see the
    same: it is written once. What was seen is remembered only to spare the database."""

    def __init__(
        self,
        store: NotificationStore,
        channels: Callable[[], Channels],
        rules: Callable[[], ApprovalRules],
    ) -> None:
        self._store = store
        self._channels = channels
        self._rules = rules
        self._written: dict[str, set[str]] = {}
        """Ids of notifications, by question."""
        self._open: dict[str, set[str]] | None = None
        """By channel, the questions whose end it is still to be told."""

    def look(self, live: Sequence[Asked], now: int) -> bool:
        """Whether there is something new to tell. Blocks; raises ``StoreDown``: then it is all
        looked at again."""
        channels, pending = self._channels(), _pending(live, now)
        told = self._told(channels)
        found = [row for one in pending.values() for row in steps(one, channels, self._rules(), now)
                 if row.id not in self._written.get(one.id, ())]  # fmt: skip
        ended = [_row(name, id, "decided", now)
                 for name, ids in told.items() for id in ids - pending.keys()]  # fmt: skip
        if found or ended:
            self._store.put([*found, *ended])
        for row in found:
            self._written.setdefault(row.inquiry, set()).add(row.id)
            if row.kind == "asked" and row.channel in told:
                told[row.channel].add(row.inquiry)
        for row in ended:
            told[row.channel].discard(row.inquiry)
        self._written = {id: rows for id, rows in self._written.items() if id in pending}
        return bool(found or ended)

    def _told(self, channels: Channels) -> dict[str, set[str]]:
        """Programs alone are told how it ended: people would only read more."""
        known = self._open or {}
        wanted = (name for name, one in channels.items() if isinstance(one, Webhook))
        self._open = {
            name: known[name] if name in known else set(self._store.undecided(name))
            for name in wanted
        }
        return self._open


def steps(
    one: Inquiry, channels: Channels, rules: ApprovalRules, now: int
) -> Iterator[Notification]:
    """All that there is to tell of a pending question by now."""
    for kind, factors in _kinds(one, rules, now):
        for name, channel in channels.items():
            if factors and (not channel.factors or channel.factors & factors):
                yield _row(name, one.id, kind, now)


def _kinds(
    one: Inquiry, rules: ApprovalRules, now: int
) -> Iterator[tuple[NotificationKind, frozenset[str]]]:
    """With the factors that each is about. What only the acting person can confirm is told to
    nobody else."""
    needed = {need.factor: rules.of(need.factor) for need in one.needs}
    asked = frozenset(name for name, rule in needed.items() if not rule.confirm)
    yield "asked", asked
    waited = now - one.created
    escalated = (name for name, rule in needed.items()
                 if rule.escalate_to and 0 < rule.escalate_after <= waited)  # fmt: skip
    yield "escalated", frozenset(escalated)
    time = one.expires - one.created
    if time >= SHORTEST_MS and (one.expires - now) * REMIND_AT <= time:
        yield "expiring", asked


def _pending(live: Iterable[Asked], now: int) -> dict[str, Inquiry]:
    found = (asked.inquiry for asked in live)
    return {one.id: one for one in found if one.at(now).state == "pending"}


def _row(channel: str, inquiry: str, kind: NotificationKind, now: int) -> Notification:
    return Notification(channel=channel, inquiry=inquiry, kind=kind, made=now, due=now)
