from lockgate.store.quota import QuotaLimits
from lockgate.store.quota_rows import Row, decode_places, encode_places, fresh, give, idle, take

LIMITS = QuotaLimits(60, 2, 3)


def test_a_token_and_a_place_are_taken_together() -> None:
    row = fresh(LIMITS, 1_000)
    assert take(row, "a", LIMITS, 1_000, {"a"}) == (0, True)
    assert (row.tokens, row.at, row.places) == (1.0, 1_000, {"a": 1})


def test_without_a_token_no_place_is_taken() -> None:
    row = Row(0.0, 1_000, {"a": 1})
    assert take(row, "a", LIMITS, 1_000, {"a"}) == (1_000, True)
    assert row.places == {"a": 1}


def test_places_of_all_owners_count_but_not_of_those_that_are_gone() -> None:
    row = Row(9.0, 1_000, {"a": 1, "b": 2})
    assert take(row, "a", LIMITS, 1_000, {"a", "b"})[1] is False
    assert take(row, "a", LIMITS, 1_000, {"a"})[1] is True
    assert row.places == {"a": 2}


def test_a_clock_that_lags_behind_takes_nothing_back() -> None:
    row = Row(1.0, 5_000, {})
    take(row, "a", LIMITS, 1_000, {"a"})
    assert row.at == 5_000


def test_giving_back_what_no_longer_counts_changes_nothing() -> None:
    row = Row(1.0, 1_000, {"a": 2, "b": 1})
    give(row, "a")
    give(row, "c")
    assert row.places == {"a": 1, "b": 1}
    give(row, "a", 5)
    assert row.places == {"b": 1}


def test_only_who_is_full_and_runs_nothing_is_idle() -> None:
    assert idle(Row(1.0, 0, {}), LIMITS, 1_000)
    assert not idle(Row(1.0, 0, {}), LIMITS, 999)
    assert not idle(Row(2.0, 0, {"a": 1}), LIMITS, 1_000)


def test_places_survive_their_writing() -> None:
    assert decode_places(encode_places({"host.0/ab": 2})) == {"host.0/ab": 2}
