from lockgate.approval.facts import approvals_of, still_good
from lockgate.model import Approval
from lockgate.model.inquiry import Asked, Need
from support.inquiries import AT, BINDING, approved, operators, vote

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
