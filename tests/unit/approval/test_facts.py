from msgspec.structs import replace

from lockgate.approval.facts import approvals_of, still_good
from lockgate.approval.rules import ApprovalRules, FactorRule
from lockgate.model import Approval
from lockgate.model.inquiry import Asked, Delegation, Need
from support.inquiries import AT, BINDING, approved, operators, vote
from support.panel import OWNERS, Panel

APPROVERS = operators(lambda: AT)
"""Accounts of the machine answer."""
GOOD = Asked(approved(), (vote("os:dora"),))


def test_each_factor_of_a_question_is_one_approval() -> None:
    both = Asked(approved(needs=(Need("owner"), Need("security"))),
                 (vote("os:dora"), vote("os:erin", factors=("security",))))  # fmt: skip
    found = approvals_of((both,), APPROVERS, AT)
    assert [a.factor for a in found] == ["owner", "security"]
    yes = ("os:dora", "os:erin")
    assert found[0] == Approval("q1", BINDING, "owner", yes, both.inquiry.expires)


def test_a_yes_of_somebody_who_may_not_say_it_any_more_is_none() -> None:
    lost = Asked(approved(), (vote("oidc:dora"),))
    assert still_good(GOOD, APPROVERS, AT)
    assert not still_good(lost, APPROVERS, AT)
    assert approvals_of((lost,), APPROVERS, AT) == ()
    assert not still_good(Asked(approved()), APPROVERS, AT), "nobody said yes"


def test_a_yes_counts_for_what_it_was_given_for() -> None:
    other = Asked(approved(), (vote("os:dora", factors=("security",)),))
    assert not still_good(other, APPROVERS, AT)


def test_as_many_must_have_said_yes_as_it_takes_now() -> None:
    """A rule that became stricter holds for what was asked before."""
    found, owners = operators(lambda: AT), frozenset({"os:dora", "os:erin"})
    found.rules = ApprovalRules({"owner": FactorRule(people=owners, count=2)})
    assert not still_good(GOOD, found, AT)
    assert still_good(Asked(approved(), (*GOOD.votes, vote("os:erin"))), found, AT)


def test_a_yes_that_was_lent_by_one_is_not_lent_again_by_another_who_said_yes() -> None:
    panel = Panel(ApprovalRules({"owner": FactorRule(people=OWNERS, count=2)}))
    asked = Asked(approved(needs=(Need("owner", 2),)),
                  (vote("oidc:dora"), vote("oidc:bob", by_delegation="oidc:erin")))  # fmt: skip
    lent = Delegation("d1", "oidc:erin", "oidc:bob", AT, AT + 100)
    panel.store.delegate(lent)
    assert still_good(asked, panel.approvers(), AT)
    panel.store.delegate(replace(lent, revoked=AT))
    assert not still_good(asked, panel.approvers(), AT)
    panel.store.delegate(replace(lent, id="d2", giver="oidc:dora"))
    assert not still_good(asked, panel.approvers(), AT), "that is one person's yes, twice"
