"""What every store of questions must do."""

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine

from lockgate.model import StoreDown
from lockgate.model.inquiry import Asked, Delegation, Kept
from lockgate.store.inquiries import StoredInquiries
from lockgate.store.memory_inquiries import MemoryInquiries
from support.inquiries import AT, approved, inquiry, vote

Store = StoredInquiries | MemoryInquiries
KEY = b"k" * 32


class Clock:
    now = AT

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def opener(request: pytest.FixtureRequest, clock: Clock) -> Callable[[], Store]:
    """Opens the same rows again and again, as several workers would."""
    if request.param == "memory":
        shared = MemoryInquiries(clock)
        return lambda: shared
    engine: Engine = request.getfixturevalue(request.param)
    return lambda: StoredInquiries(engine, KEY, clock)


@pytest.fixture
def store(opener: Callable[[], Store]) -> Store:
    return opener()


def test_what_is_asked_is_read_back_whole(store: Store) -> None:
    asked = inquiry()
    assert store.add(asked, b"payload") == asked
    assert store.get("q1") == Asked(asked)
    assert store.payload("q1") == b"payload"
    assert store.get("q2") is None
    assert store.payload("q2") is None


def test_the_same_question_is_asked_once(store: Store) -> None:
    first = store.add(inquiry(), b"1")
    assert store.add(inquiry("q2"), b"2") == first
    assert store.get("q2") is None
    other = inquiry("q3", holder="person:bob")
    assert store.add(other, b"3") == other


@pytest.mark.parametrize("state", ["used", "succeeded", "failed", "denied", "vetoed"])
def test_what_is_over_answers_the_same_question_while_it_is_kept(
    store: Store, clock: Clock, state: str
) -> None:
    over = inquiry(state=state)
    store.add(over, b"1")
    assert store.add(inquiry("q2"), b"2") == over
    clock.now = over.kept_until
    if state != "used":
        assert store.add(inquiry("q3", created=clock.now), b"3").id == "q3"


@pytest.mark.parametrize("state", ["expired", "cancelled", "superseded", "revoked"])
def test_what_came_to_nothing_can_be_asked_anew(store: Store, state: str) -> None:
    store.add(inquiry(state=state), b"1")
    assert store.add(inquiry("q2"), b"2").id == "q2"


def test_nobody_answered_in_time(store: Store, clock: Clock) -> None:
    store.add(inquiry(), b"1")
    clock.now = inquiry().expires
    assert store.add(inquiry("q2"), b"2").id == "q2"


def test_an_id_is_taken_once(store: Store) -> None:
    store.add(inquiry(), b"1")
    with pytest.raises(StoreDown):
        store.add(inquiry(digest="another"), b"2")


def test_a_step_and_its_vote_are_one(opener: Callable[[], Store]) -> None:
    here, there = opener(), opener()
    here.add(inquiry(), b"")
    changed = approved(version=2)
    assert here.replace(changed, vote())
    assert not there.replace(approved(version=2), vote("oidc:erin"))
    assert there.get("q1") == Asked(changed, (vote(),))


def test_votes_stay_in_order(store: Store) -> None:
    store.add(inquiry(), b"")
    for number, name in enumerate(("z", "a", "m"), 2):
        assert store.replace(inquiry(version=number), vote(name))
    asked = store.get("q1")
    assert asked is not None
    assert [v.voter for v in asked.votes] == ["z", "a", "m"]
    assert store.listed() == (asked,)


def test_it_is_used_once(opener: Callable[[], Store]) -> None:
    here, there = opener(), opener()
    here.add(approved(), b"")
    assert here.claim(["q1"], "w1", AT)
    assert not there.claim(["q1"], "w2", AT)
    found = there.get("q1")
    assert found is not None
    assert (found.inquiry.state, found.inquiry.node, found.inquiry.uses) == ("used", "w1", 0)


@pytest.mark.parametrize("state", ["pending", "denied", "revoked", "used", "succeeded"])
def test_only_what_is_approved_is_used(store: Store, state: str) -> None:
    store.add(inquiry(state=state), b"")
    assert not store.claim(["q1"], "w", AT)


def test_not_after_its_time(store: Store) -> None:
    store.add(approved(), b"")
    assert not store.claim(["q1"], "w", approved().expires)


def test_all_or_none(store: Store) -> None:
    store.add(approved(), b"")
    store.add(approved("q2", digest="2"), b"")
    assert not store.claim(["q1", "missing", "q2"], "w", AT)
    assert store.claim(["q1", "q2", "q1"], "w", AT)


def test_a_grant_is_used_as_often_as_it_says(store: Store) -> None:
    store.add(approved(kind="grant", uses=2), b"")
    assert [store.claim(["q1"], "w", AT) for _ in range(3)] == [True, True, False]


async def test_of_many_at_once_one_wins(opener: Callable[[], Store]) -> None:
    opener().add(approved(), b"")
    workers = [opener() for _ in range(8)]
    won = await asyncio.gather(
        *(asyncio.to_thread(w.claim, ["q1"], f"w{n}", AT) for n, w in enumerate(workers))
    )
    assert sum(won) == 1


def test_results_are_kept_for_a_time_and_then_destroyed(store: Store, clock: Clock) -> None:
    store.add(inquiry(), b"payload")
    store.keep("q1", Kept(b"{}", is_error=True))
    assert store.kept("q1") == Kept(b"{}", is_error=True)
    assert store.kept("q2") is None
    assert store.forget(inquiry().kept_until - 1) == 0
    clock.now = inquiry().kept_until
    assert (store.kept("q1"), store.payload("q1")) == (None, None)
    assert store.forget(clock.now) == 1
    clock.now = AT
    assert (store.kept("q1"), store.payload("q1")) == (None, None)


def test_what_names_arguments_goes_with_them(store: Store, clock: Clock) -> None:
    said = {"upstream": "clinic", "entity /patient_id": "p-1"}
    store.add(inquiry(state="denied", tool=said), b"payload")
    store.add(inquiry("q2", digest="2", tool=said, expires=10**9), b"payload")
    clock.now = inquiry().kept_until
    store.forget(clock.now)
    over, live = store.get("q1"), store.get("q2")
    assert over is not None
    assert live is not None
    assert over.inquiry.tool == {"upstream": "clinic"}
    assert live.inquiry.tool == said, "who may answer is still asked of it"


def test_newest_first_and_of_some_states(store: Store) -> None:
    store.add(inquiry(), b"")
    store.add(inquiry("q2", digest="2", created=AT + 1), b"")
    store.add(inquiry("q3", digest="3", created=AT + 2, state="denied"), b"")
    assert [a.inquiry.id for a in store.listed()] == ["q3", "q2", "q1"]
    assert [a.inquiry.id for a in store.listed(["pending"])] == ["q2", "q1"]
    assert [a.inquiry.id for a in store.listed(most=1)] == ["q3"]


def test_what_was_asked_before_of_the_same(store: Store) -> None:
    later = {"created": AT + 9, "digest": "new"}
    for one in (
        inquiry("q1"), inquiry("q2", digest="2", created=AT + 1, state="denied"),
        inquiry("q3", digest="3", holder="person:bob"),
        inquiry("q4", digest="4", agent="another"),
        inquiry("q5", digest="5", title="clinic/another"),
        inquiry("q6", digest="6", created=AT + 10), inquiry("q9", **later),
    ):  # fmt: skip
        store.add(one, b"")
    now = inquiry("q9", **later)
    found = [[a.inquiry.id for a in store.earlier(now, by, 9)] for by in ("holder", "agent")]
    assert found == [["q2", "q4", "q1"], ["q2", "q3", "q1"]]
    assert [a.inquiry.id for a in store.earlier(now, "holder", 1)] == ["q2"]


def test_how_often_somebody_said_yes_lately(store: Store) -> None:
    store.add(inquiry(), b"")
    given = (vote("a", at=5), vote("a", at=6), vote("a", "no", at=7), vote("b", at=7))
    for number, one in enumerate(given, 2):
        store.replace(inquiry(version=number), one)
    assert [store.yeses("a", since) for since in (4, 5, 6)] == [2, 1, 0]


def test_what_is_live_comes_with_every_change(opener: Callable[[], Store]) -> None:
    here, there = opener(), opener()
    here.add(inquiry(), b"")
    found = there.changed(-1)
    assert found is not None
    assert [a.inquiry.id for a in found[1]] == ["q1"]
    assert there.changed(found[0]) is None
    here.replace(inquiry(state="denied", version=2))
    after = there.changed(found[0])
    assert after is not None
    assert (after[0] > found[0], after[1]) == (True, ())


def test_what_runs_or_ran_is_told_while_its_result_is_kept(store: Store) -> None:
    for number, state in enumerate(("pending", "used", "succeeded", "failed")):
        store.add(inquiry(state, digest=state, state=state, created=AT + number), b"")
    store.add(inquiry("grant", digest="g", kind="grant", state="used"), b"")
    assert [one.id for one in store.answered(AT)] == ["succeeded", "used"]
    assert store.answered(inquiry().kept_until) == ()


def test_delegations(store: Store) -> None:
    one = Delegation("d1", "oidc:dora", "oidc:erin", AT, AT + 10)
    store.delegate(one)
    store.delegate(replace(one, revoked=AT + 1))
    assert store.delegations() == (replace(one, revoked=AT + 1),)
    found = store.changed_delegations(-1)
    assert found is not None
    assert found[1] == store.delegations()
    assert store.changed_delegations(found[0]) is None


def test_what_one_holder_asked_is_listed_alone(store: Store) -> None:
    store.add(inquiry(), b"")
    store.add(inquiry("q2", holder="person:bob"), b"")
    assert [a.inquiry.id for a in store.listed(holder="person:bob")] == ["q2"]
    assert store.listed(("denied",), holder="person:bob") == ()
    assert len(store.listed()) == 2
