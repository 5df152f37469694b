import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.approval import engine
from lockgate.approval.engine import Refusal, satisfied
from lockgate.model.inquiry import Asked, Inquiry, Need, Vote
from support.inquiries import AT, approved, inquiry, vote

BOTH = inquiry(needs=(Need("owner"), Need("security")))
EVERYBODY = {name: frozenset({"owner", "security"}) for name in ("oidc:dora", "oidc:erin")}


Held = dict[str, frozenset[str]]


def said(asked: Inquiry, *votes: Vote, own: bool = False, standing: Held | None = None) -> Asked:
    found = Asked(asked)
    for one in votes:
        found = engine.vote(
            found, one, own=own, standing=EVERYBODY if standing is None else standing
        )
    return found


def fault(asked: Inquiry, *votes: Vote, own: bool = False) -> str:
    with pytest.raises(Refusal) as caught:
        said(asked, *votes, own=own)
    return caught.value.fault


def test_a_yes_approves_and_opens_the_window() -> None:
    after = said(inquiry(), vote()).inquiry
    assert (after.state, after.decided, after.expires) == ("approved", AT + 1, AT + 301)
    assert after.version == 2


def test_any_no_ends_it() -> None:
    over = said(BOTH, vote(factors=("owner",)), vote("oidc:erin", "no", factors=("security",)))
    assert (over.inquiry.state, over.inquiry.reason) == ("denied", "approval.denied")
    assert fault(over.inquiry, vote()) == "approval.gone"


def test_a_veto_ends_also_what_was_approved() -> None:
    over = said(approved(), vote("oidc:sam", "veto", factors=()))
    assert over.inquiry.state == "vetoed"
    assert fault(inquiry(state="used"), vote("oidc:sam", "veto")) == "approval.gone"


def test_a_vote_on_another_digest_is_none() -> None:
    assert fault(inquiry(), vote(digest="0" * 64)) == "approval.other-digest"
    assert fault(inquiry(), vote("oidc:sam", "veto", digest="")) == "approval.other-digest"


def test_nobody_answers_their_own_and_nobody_who_was_not_asked() -> None:
    assert fault(inquiry(), vote(factors=()), own=True) == "approval.own"
    assert fault(inquiry(), vote(factors=())) == "approval.not-asked"
    assert fault(inquiry(), vote(factors=(), answer="no")) == "approval.not-asked"


def test_two_yeses_of_one_person_are_one() -> None:
    twice = inquiry(needs=(Need("owner", 2),))
    assert fault(twice, vote(), vote()) == "approval.voted"
    assert said(twice, vote(), vote("oidc:erin")).inquiry.state == "approved"


def test_one_person_fills_one_factor() -> None:
    one = said(BOTH, vote(factors=("owner", "security")))
    assert one.inquiry.state == "pending"
    both = said(BOTH, vote(factors=("owner", "security")), vote("oidc:erin", factors=("owner",)))
    assert both.inquiry.state == "approved", "dora counts for security, erin for owner"


def test_a_yes_counts_only_while_its_giver_may_still_give_it() -> None:
    lost = {"oidc:dora": frozenset[str](), "oidc:erin": frozenset({"security"})}
    after = said(BOTH, vote(factors=("owner",)), vote("oidc:erin", factors=("security",)),
                 standing=lost)  # fmt: skip
    assert after.inquiry.state == "pending"


def test_after_its_time_nothing_is_said() -> None:
    assert fault(inquiry(), vote(at=AT + 900)) == "approval.gone"
    assert fault(approved(), vote("oidc:sam", "veto", at=AT + 900)) == "approval.gone"


def test_taking_back() -> None:
    assert engine.cancel(inquiry(), AT).state == "cancelled"
    assert engine.cancel(approved(), AT).state == "cancelled"
    assert engine.revoke(approved(), AT).state == "revoked"
    assert engine.supersede(inquiry(), AT, "approval.superseded").state == "superseded"
    for step in (engine.cancel, engine.revoke):
        with pytest.raises(Refusal):
            step(inquiry(state="used"), AT)
    with pytest.raises(Refusal):
        engine.revoke(inquiry(), AT)


def test_only_what_was_used_ends() -> None:
    done = engine.finish(inquiry(state="used"), AT, why="approval.ran", good=True)
    assert (done.state, done.reason, done.ended) == ("succeeded", "approval.ran", AT)
    assert engine.finish(inquiry(state="used"), AT, why="x", good=False).state == "failed"
    with pytest.raises(Refusal):
        engine.finish(approved(), AT, why="x", good=True)


def test_who_is_still_missing() -> None:
    asked = said(BOTH, vote(factors=("owner",)))
    assert engine.missing(asked, EVERYBODY) == (Need("security"),)
    assert engine.missing(asked, {}) == BOTH.needs


letters = st.sampled_from("abc")


@given(st.lists(letters, max_size=4), st.lists(st.frozensets(letters), max_size=4))
def test_a_quorum_is_met_exactly_where_people_can_be_told_apart(
    places: list[str], voters: list[frozenset[str]]
) -> None:
    """Against the obvious way: try every assignment."""

    def possible(left: list[str], free: list[frozenset[str]]) -> bool:
        if not left:
            return True
        return any(
            left[0] in one and possible(left[1:], free[:n] + free[n + 1 :])
            for n, one in enumerate(free)
        )

    needs = [Need(place) for place in places]
    assert satisfied(needs, voters) == (bool(places) and possible(places, voters))
