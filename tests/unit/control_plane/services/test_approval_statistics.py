from typing import Any

from lockgate.approval.rules import ApprovalRules, FactorRule
from lockgate.control_plane.services.approval_statistics import (
    FEWEST,
    FOLDED,
    Statistics,
    statistics,
)
from lockgate.model.inquiry import Need
from lockgate.store.memory_inquiries import MemoryInquiries
from support.inquiries import AT, inquiry, vote

RULES = ApprovalRules({"owner": FactorRule(escalate_to=("oidc:boss",), escalate_after=20_000)})
NOW = AT + 10**6


class Records:
    def __init__(self) -> None:
        self.store = MemoryInquiries(lambda: AT)
        self._count = 0

    def ask(self, took: int = 0, answer: Any = "yes", people: int = 1, **changes: Any) -> None:
        """A question that somebody else asks each time, and that another answers."""
        self._count += 1
        n = self._count
        one = inquiry(f"q{n}", digest=str(n), **{
            "holder": f"person:p{n % people}", "expires": AT + 900_000, **changes})  # fmt: skip
        self.store.add(one, b"")
        if took:
            state = {"yes": "approved", "no": "denied"}[answer]
            ended = {"decided": AT + took} if answer == "yes" else {"ended": AT + took}
            over = inquiry(one.id, digest=one.digest, holder=one.holder, state=state, version=2,
                           expires=AT + 900_000 + 10**9, **{**changes, **ended})  # fmt: skip
            given = vote(f"oidc:a{n % people}", answer, inquiry=one.id, at=AT + took)
            self.store.replace(over, given)

    def figures(self, since: int = 0, now: int = NOW) -> Statistics:
        return statistics(self.store, RULES, since, now)


def test_times_ratios_and_what_was_not_read() -> None:
    records = Records()
    for took in (1_000, 2_000, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000):
        records.ask(took, people=5)
    records.ask(70_000, "no", people=5)
    records.ask(people=5)
    whole = records.figures().whole
    assert (whole.questions, whole.states) == (10, {"approved": 8, "denied": 1, "expired": 1})
    assert (whole.median_ms, whole.p90_ms) == (30_000, 70_000)
    assert (whole.approved, whole.expired, whole.unread) == (0.889, 0.1, 0.222)
    assert whole.escalated == 7


def test_of_too_few_people_only_counts_are_told() -> None:
    records = Records()
    for _ in range(20):
        records.ask(1_000, people=2)
    found = records.figures()
    assert found.whole.questions == 20
    assert (found.whole.median_ms, found.whole.approved, found.whole.unread) == (None, None, None)
    assert set(found.tools) == set(found.factors) == {FOLDED}
    assert found.tools[FOLDED].median_ms is None


def test_one_person_who_answers_many_is_no_group() -> None:
    records = Records()
    for n in range(20):
        records.ask(holder=f"person:x{n}")
        one = inquiry(f"q{n + 1}", digest=str(n + 1), holder=f"person:x{n}", state="denied",
                      ended=AT + 9, version=2)  # fmt: skip
        records.store.replace(one, vote("oidc:dora", "no", inquiry=one.id))
    found = records.figures()
    assert (set(found.factors), found.whole.approved) == ({FOLDED}, None)


def test_small_groups_are_folded_together() -> None:
    records = Records()
    for _ in range(FEWEST):
        records.ask(1_000, people=9)
    for title in ("clinic/a", "clinic/b", "clinic/c"):
        records.ask(1_000, people=9, title=title, needs=(Need("owner"), Need("rare")))
    found = records.figures()
    assert {name: one.questions for name, one in found.tools.items()} == {
        "clinic/delete_patient": 5, FOLDED: 3
    }  # fmt: skip
    assert {name: one.questions for name, one in found.factors.items()} == {"owner": 8, FOLDED: 3}


def test_nobody_is_named() -> None:
    records = Records()
    for _ in range(20):
        records.ask(1_000, people=7)
    assert not any(name in str(records.figures()) for name in ("oidc:", "person:"))


def test_what_was_approved_and_not_used_was_decided() -> None:
    records = Records()
    for _ in range(FEWEST):
        records.ask(1_000, people=5)
    whole = records.figures(now=AT + 2 * 10**9).whole
    assert (whole.states, whole.approved, whole.expired) == ({"expired": 5}, 1.0, 0.0)


def test_only_of_the_time_that_is_asked_for() -> None:
    records = Records()
    records.ask()
    assert records.figures(AT + 1).whole.questions == 0
    assert records.figures(AT).whole.questions == 1
    assert not records.figures().cut
