from bench.compare import differences
from bench.machine import Machine
from bench.rounds import Result
from bench.statistics import Summary, summary

MACHINE = Machine("some", 2, 8, "6", "CPython 3", True)


def result(calibration: float = 1.0, **figures: Summary) -> Result:
    return Result(MACHINE, calibration, {"lockgate": {"600B x32": figures}})


def verdicts(before: Result, now: Result) -> dict[str, bool]:
    return {d.figure: d.is_regression for d in differences(before, now)}


def test_more_cost_and_fewer_calls_beyond_noise_are_regressions() -> None:
    before = result(cpu_us=summary([500, 505]), rate=summary([1500, 1510]))
    same = result(cpu_us=summary([510, 515]), rate=summary([1480, 1490]))
    slow = result(cpu_us=summary([700, 710]), rate=summary([1000, 1010]))
    assert verdicts(before, same) == {"cpu_us": False, "rate": False}
    assert verdicts(before, slow) == {"cpu_us": True, "rate": True}
    assert verdicts(slow, before) == {"cpu_us": False, "rate": False}


def test_what_the_rounds_do_not_agree_on_is_noise() -> None:
    before = result(cpu_us=summary([500, 505]))
    shaky = result(cpu_us=summary([450, 750]))
    assert verdicts(before, shaky) == {"cpu_us": False}


def test_a_machine_that_is_slower_today_is_no_regression() -> None:
    before = result(1.0, cpu_us=summary([500]))
    assert verdicts(before, result(1.6, cpu_us=summary([800]))) == {"cpu_us": False}
    assert verdicts(before, result(1.0, cpu_us=summary([800]))) == {"cpu_us": True}


def test_only_costs_of_ours_that_both_have_are_compared() -> None:
    figures = {"cpu_us": summary([1.0]), "p99_ms": summary([1.0])}
    old = Result(MACHINE, 1.0, {"lockgate": {"a": figures}, "direct": {"a": figures}})
    new = Result(MACHINE, 1.0, {"lockgate": {"a": figures, "b": figures}, "direct": {"a": figures}})
    assert [(d.arm, d.cell, d.figure) for d in differences(old, new)] == [
        ("lockgate", "a", "cpu_us")
    ]


def test_a_rate_that_was_given_is_not_a_result() -> None:
    one = Result(MACHINE, 1.0, {"lockgate": {"open 100/s": {"rate": summary([100.0])}}})
    assert not differences(one, one)
