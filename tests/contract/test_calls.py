"""What is listed of calls, on every database."""

from typing import Any

import pytest
from sqlalchemy import Engine

from lockgate.model import AuditEvent
from lockgate.model.listed_call import CallsWanted, Tally
from lockgate.store.calls import LOOKED_AT, StoredCalls
from lockgate.store.database import writing
from lockgate.store.events import StoredEvents
from lockgate.store.tables import event as table

ANY = CallsWanted()


class House:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.events = StoredEvents(engine)
        self.calls = StoredCalls(engine)
        self.number = 0

    def row(self, call: str, kind: Any, effect: str, reason: str, **more: Any) -> None:
        self.number += 1
        who = more.pop("who", "")
        at = more.pop("at", self.number * 10)
        slots: Any = {"actor": b'{"kind":"person","subject":"%s"}' % who.encode()} if who else {}
        self.events.append(
            [AuditEvent(f"e{self.number}", call, kind, at, effect, reason, more, slots)]
        )

    def call(self, call: str, who: str = "alice", upstream: str = "git", **more: Any) -> None:
        """One that was permitted and answered."""
        about = {"upstream": upstream, "target": "push", "method": "tools/call", **more}
        self.row(call, "call.intent", "permit", "policy.permitted", who=who, **about)
        self.row(call, "call.outcome", "permit", "policy.permitted", **about)

    def found(self, wanted: CallsWanted = ANY) -> list[str]:
        return [one.call for one in self.calls.page(wanted, 0, 100).calls]


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest) -> House:
    return House(request.getfixturevalue(request.param))


def test_an_empty_journal_has_none(house: House) -> None:
    page = house.calls.page(ANY, 0, 10)
    assert (page.calls, page.older) == ((), 0)
    assert house.calls.tally(0, 60) == Tally(0, 60, (), (), (), True)


def test_each_call_is_there_once_with_what_it_came_to(house: House) -> None:
    house.call("c1")
    house.row("c2", "call.intent", "permit", "policy.permitted", who="bob")
    house.row("c2", "call.outcome", "deny", "upstream.timeout")
    house.row("c3", "call.intent", "hold", "approval.needed", who="bob")
    house.row("c4", "call.refused", "deny", "wire.unknown-tool", who="bob")
    house.row("c5", "call.intent", "permit", "policy.permitted", who="bob")
    house.row("c5", "call.refused", "deny", "call.revoked")
    house.row("c6", "call.intent", "permit", "policy.permitted", who="bob")
    house.row("", "auth.refused", "deny", "auth.invalid")
    house.row("c3", "admin.changed", "permit", "admin.changed")
    rows = house.calls.page(ANY, 0, 10).calls
    assert [(r.call, r.effect, r.reason, bool(r.ended)) for r in rows] == [
        ("c6", "permit", "policy.permitted", False),
        ("c5", "deny", "call.revoked", True),
        ("c4", "deny", "wire.unknown-tool", False),
        ("c3", "hold", "approval.needed", False),
        ("c2", "deny", "upstream.timeout", True),
        ("c1", "permit", "policy.permitted", True),
    ]
    assert rows[-1].actor == b'{"kind":"person","subject":"alice"}'
    assert (rows[-1].upstream, rows[-1].target, rows[-1].method) == ("git", "push", "tools/call")
    assert rows[-1].ended - rows[-1].at == 10


def test_pages_go_on_where_the_last_one_ended(house: House) -> None:
    for number in range(5):
        house.call(f"c{number}")
    seen, before = [], 0
    while True:
        page = house.calls.page(ANY, before, 2)
        seen += [one.call for one in page.calls]
        before = page.older
        if not before:
            break
    assert seen == ["c4", "c3", "c2", "c1", "c0"]


def test_wishes(house: House) -> None:
    house.call("c1")
    house.call("c2", who="bob", upstream="mail", target="send")
    house.call("c3", who='q"uote\\ \u00e9')
    house.row("c4", "call.intent", "permit", "policy.permitted", who="bob", upstream="mail")
    house.row("c4", "call.outcome", "deny", "upstream.timeout", upstream="mail")
    assert house.found(CallsWanted(principal="bob")) == ["c4", "c2"]
    assert house.found(CallsWanted(principal="bo")) == []
    assert house.found(CallsWanted(upstream="mail")) == ["c4", "c2"]
    assert house.found(CallsWanted(tool="send")) == ["c2"]
    assert house.found(CallsWanted(effect="deny")) == ["c4"]
    assert house.found(CallsWanted(effect="permit")) == ["c3", "c2", "c1"]
    assert house.found(CallsWanted(reason="upstream.timeout", principal="bob")) == ["c4"]
    assert house.found(CallsWanted(reason="policy.permitted", upstream="mail")) == ["c2"]


def test_words_in_a_wish_are_only_words(house: House) -> None:
    house.call("c1")
    for text in ("%", "_", "' OR 1=1 --", 'alice"', "\0", "\u202e"):
        assert house.found(CallsWanted(principal=text)) == []
        if "\0" not in text:
            assert house.found(CallsWanted(upstream=text)) == []


def test_a_page_looks_at_so_many_rows_and_says_where_to_go_on(house: House) -> None:
    house.call("old", who="carol")
    house.call("new")
    with writing(house.engine) as connection:  # as if so many had been written between
        connection.execute(
            table.update().where(table.c.call == "new").values(seq=table.c.seq + 2 * LOOKED_AT)
        )
    page = house.calls.page(CallsWanted(principal="carol"), 0, 10)
    assert (page.calls, page.older > 0) == ((), True)
    seen = []
    while page.older:
        page = house.calls.page(CallsWanted(principal="carol"), page.older, 10)
        seen += [one.call for one in page.calls]
    assert seen == ["old"]


def test_a_tally_counts_what_was_decided_why_not_and_how_long_it_took(house: House) -> None:
    house.call("old")
    for number in range(3):
        house.call(f"c{number}", at=1_000 + number)
    house.row("c8", "call.intent", "hold", "approval.needed", at=1_999)
    house.row("c9", "call.refused", "deny", "wire.unknown-tool", at=2_000)
    house.row("c9", "call.refused", "deny", "policy.denied", at=2_500)
    house.row("c7", "call.outcome", "deny", "policy.denied", at=2_501)
    found = house.calls.tally(1_000, 500)
    assert found.counts == ((0, "permit", 3), (1, "hold", 1), (2, "deny", 1), (3, "deny", 1))
    assert found.reasons == (("policy.denied", 2), ("wire.unknown-tool", 1))
    assert (found.lasted, found.whole) == ((0, 0, 0), True)
