import pytest

from soak.verdict import BOUNDS, FEWEST, Row, growth, miscounted, unpaired

INTENT, OUTCOME = "call.intent", "call.outcome"


def call(id: str, token: str = "", outcome: str | None = "permit") -> list[Row]:
    """One permitted call; ``outcome``: how its answer was judged, None for none at all."""
    rows = [Row(id, INTENT, "permit", "policy.permitted", token)]
    return rows + ([Row(id, OUTCOME, outcome, "inspection.clean")] if outcome else [])


def test_what_goes_up_and_stays_there_grows() -> None:
    leak, level, wave = range(90), [50] * 90, [50, 52, 49] * 30
    found = growth({"tasks": leak, "children": level, "threads": wave, "descriptors": leak})
    assert {one.what: one.holds for one in found} == {
        "children": True, "descriptors": False, "tasks": False, "threads": True,
    }  # fmt: skip


def test_what_a_start_takes_is_no_growth() -> None:
    (found,) = growth({"rss_mib": [10 * n for n in range(10)] + [100] * 20})
    assert found.holds
    assert (found.middle, found.last, found.most) == (100, 100, 100)


def test_one_peak_is_no_growth() -> None:
    (found,) = growth({"backlog": [0] * 29 + [5_000]})
    assert found.holds
    assert found.most == 5_000


@pytest.mark.parametrize("what", sorted(BOUNDS))
def test_twice_as_much_is_growth_of_anything(what: str) -> None:
    (found,) = growth({what: [100] * 20 + [250] * 10})
    assert not found.holds


def test_too_few_samples_prove_nothing() -> None:
    (found,) = growth({"tasks": [1] * (FEWEST - 1)})
    assert not found.holds


def test_every_permitted_call_has_one_intent_and_one_outcome() -> None:
    denied = [Row("c-2", INTENT, "deny", "policy.denied")]
    assert unpaired(call("c-1") + denied) == []
    assert unpaired(call("c-1", outcome=None)) == ["c-1: 1 intents, 0 outcomes"]
    assert unpaired(call("c-1") + call("c-1")) == ["c-1: 2 intents, 2 outcomes"]
    assert unpaired([Row("c-1", OUTCOME, "permit", "")]) == ["c-1: 0 intents, 1 outcomes"]
    assert unpaired([*denied, Row("c-2", OUTCOME, "permit", "")])


def test_a_call_that_succeeded_was_received_exactly_once() -> None:
    rows = call("c-1", "t-1")
    assert miscounted(rows, {"t-1": 1}, {"t-1": 1}) == []
    assert miscounted(rows, {}, {"t-1": 1}) == ["t-1: received 0, but 1 succeeded of 1 sent"]
    assert miscounted(rows, {"t-1": 2}, {}) == ["t-1: received 2, but 1 succeeded of 1 sent"]


def test_a_call_that_failed_was_received_once_at_most() -> None:
    rows = call("c-1", "t-1", outcome="deny")
    assert miscounted(rows, {}, {}) == miscounted(rows, {"t-1": 1}, {}) == []
    assert miscounted(rows, {"t-1": 2}, {})


def test_a_call_of_several_rounds_is_received_in_each() -> None:
    rows = call("c-1", "t-1") + call("c-1.r1", "t-1")
    assert miscounted(rows, {"t-1": 2}, {"t-1": 1}) == []
    assert miscounted(rows, {"t-1": 1}, {"t-1": 1})


def test_nothing_is_received_or_answered_that_was_not_sent() -> None:
    assert miscounted([], {"t-1": 1}, {}) == ["t-1: received 1, but 0 succeeded of 0 sent"]
    failed = call("c-1", "t-1", outcome="deny")
    assert miscounted(failed, {"t-1": 1}, {"t-1": 1}) == [
        "t-1: the client has an answer that the journal does not know"
    ]
