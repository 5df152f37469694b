from collections.abc import Iterator
from typing import Any

import pytest

from lockgate.approval.channels import AnyChannel
from lockgate.approval.herald import Herald, steps
from lockgate.approval.rules import MINUTE_MS, ApprovalRules, FactorRule
from lockgate.model import StoreDown
from lockgate.model.inquiry import Asked, Inquiry, Need
from lockgate.store.memory_notifications import MemoryNotifications
from support.channels import email, slack, webhook
from support.inquiries import AT, inquiry
from support.paper_server import PaperServer

SERVER = PaperServer()
OPS, CHAT = webhook(SERVER), slack(SERVER)
RULES = ApprovalRules(
    {"owner": FactorRule(escalate_to=("oidc:boss",), escalate_after=4 * MINUTE_MS),
     "self": FactorRule(confirm=True)}
)  # fmt: skip


def waiting(**changes: Any) -> Inquiry:
    return inquiry(expires=AT + 15 * MINUTE_MS, **changes)


def told(one: Inquiry, now: int, *channels: AnyChannel) -> list[tuple[str, str]]:
    named = {channel.name: channel for channel in channels or (OPS,)}
    return [(row.channel, row.kind) for row in steps(one, named, RULES, now)]


@pytest.mark.parametrize(
    ("minutes", "kinds"),
    [(0, ["asked"]), (3.9, ["asked"]), (4, ["asked", "escalated"]),
     (12, ["asked", "escalated", "expiring"])],
)  # fmt: skip
def test_what_there_is_to_tell_grows_with_time(minutes: float, kinds: list[str]) -> None:
    now = AT + int(minutes * MINUTE_MS)
    assert [kind for _, kind in told(waiting(), now)] == kinds


def test_a_short_question_needs_no_reminder() -> None:
    one = inquiry(expires=AT + 2 * MINUTE_MS)
    assert told(one, one.expires - 1) == [("ops", "asked")]


def test_a_channel_is_told_of_its_factors_only() -> None:
    other, mine = (
        slack(SERVER, factors=frozenset({"security"})),
        email(25, factors=frozenset({"owner"})),
    )
    assert told(waiting(), AT, other, mine) == [("mail", "asked")]
    both = waiting(needs=(Need("owner"), Need("security")))
    late = AT + 5 * MINUTE_MS
    assert told(both, late, other) == [("chat", "asked")]


def test_what_one_confirms_oneself_is_nobody_elses_news() -> None:
    assert told(waiting(needs=(Need("self"),)), AT) == []


class World:
    def __init__(self) -> None:
        self.store = MemoryNotifications()
        self.channels: dict[str, AnyChannel] = {"ops": OPS, "chat": CHAT}
        self.herald = self.another()

    def another(self) -> Herald:
        return Herald(self.store, lambda: self.channels, lambda: RULES)

    def rows(self, now: int) -> Iterator[tuple[str, str, str]]:
        for name in self.channels:
            while rows := self.store.lease(name, now, now + 1, now):
                self.store.finish(rows, "sent", now)
                yield from ((row.channel, row.inquiry, row.kind) for row in rows)


def test_each_step_is_written_once_whoever_sees_it() -> None:
    world = World()
    live = [Asked(waiting())]
    assert world.herald.look(live, AT)
    assert not world.herald.look(live, AT + 1)
    world.another().look(live, AT + 2)
    assert sorted(world.rows(AT + 2)) == [("chat", "q1", "asked"), ("ops", "q1", "asked")]


@pytest.mark.parametrize("live", [[], [Asked(waiting(state="approved"))]])
def test_programs_are_told_how_it_ended_and_people_are_not(live: list[Asked]) -> None:
    world = World()
    world.herald.look([Asked(waiting())], AT)
    list(world.rows(AT))
    assert world.herald.look(live, AT + 1)
    assert not world.herald.look(live, AT + 2)
    assert list(world.rows(AT + 2)) == [("ops", "q1", "decided")]


def test_also_where_it_ended_while_nobody_looked() -> None:
    world = World()
    world.herald.look([Asked(waiting())], AT)
    list(world.rows(AT))
    world.another().look([], AT + 1)
    assert list(world.rows(AT + 1)) == [("ops", "q1", "decided")]


def test_a_new_channel_is_told_what_waits() -> None:
    world = World()
    world.herald.look([Asked(waiting())], AT)
    list(world.rows(AT))
    world.channels["mail"] = email(25)
    world.herald.look([Asked(waiting())], AT + 1)
    assert list(world.rows(AT + 1)) == [("mail", "q1", "asked")]


class Down(MemoryNotifications):
    down = True

    def put(self, rows: Any) -> None:
        if self.down:
            raise StoreDown("gone")
        super().put(rows)


def test_what_could_not_be_written_is_seen_again() -> None:
    world = World()
    world.store = store = Down()
    herald = world.another()
    with pytest.raises(StoreDown):
        herald.look([Asked(waiting())], AT)
    store.down = False
    assert herald.look([Asked(waiting())], AT + 1)
