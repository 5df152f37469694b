import pytest

from bench.statistics import FLOOR, Summary, noise, quantile, summary, worse_by


def test_a_summary_is_the_median_and_how_far_the_rounds_lie_apart() -> None:
    assert summary([120.0, 90.0, 100.0]) == Summary(100.0, 0.15, (120.0, 90.0, 100.0))
    assert summary([0.0, 0.0]).spread == 0.0
    with pytest.raises(ValueError):
        summary([])


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.99, 4), (1.0, 4)]
)
def test_quantiles_are_values_that_were_seen(share: float, value: float) -> None:
    assert quantile([1, 2, 3, 4], share) == value


def test_there_is_no_quantile_of_nothing() -> None:
    with pytest.raises(ValueError):
        quantile([], 0.5)


def test_noise_is_what_the_rounds_show_but_never_less_than_the_floor() -> None:
    steady, shaky = Summary(1.0, 0.01, ()), Summary(1.0, 0.2, ())
    assert noise(steady, steady) == FLOOR
    assert noise(steady, shaky) == noise(shaky, steady) == pytest.approx(0.315)


def test_worse_is_more_cost_or_fewer_calls() -> None:
    old, new = Summary(100.0, 0.0, ()), Summary(150.0, 0.0, ())
    assert worse_by(old, new, more_is_better=False) == pytest.approx(0.5)
    assert worse_by(new, old, more_is_better=False) == pytest.approx(-1 / 3)
    assert worse_by(new, old, more_is_better=True) == pytest.approx(0.5)
    # The machine itself takes half as long again for the same work.
    assert worse_by(old, new, more_is_better=False, scale=1.5) == pytest.approx(0.0)
