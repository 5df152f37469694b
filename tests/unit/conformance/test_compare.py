from pathlib import Path

import pytest

from conformance.compare import Expected, judge, read_expected, worse
from conformance.suite import Check, Finding

GOOD, WARNED, BAD = Finding("SUCCESS"), Finding("WARNING"), Finding("FAILURE", "no")
SKIPPED, TOLD = Finding("SKIPPED"), Finding("INFO")
A, B, C = Check("tools", "a"), Check("tools", "b"), Check("prompts", "c")
WHY = "for a reason that is written"


def test_what_goes_as_well_as_directly_is_not_worse() -> None:
    same = {A: GOOD, B: BAD, C: SKIPPED}
    assert worse(same, same) == {}
    assert worse({A: GOOD, B: GOOD, C: GOOD}, same) == {}


@pytest.mark.parametrize("through", [BAD, WARNED, SKIPPED], ids=lambda f: f.status)
def test_failing_warning_and_skipping_what_went_well_are_worse(through: Finding) -> None:
    assert worse({A: through}, {A: GOOD}) == {A: through}


def test_a_check_that_never_came_is_worse() -> None:
    assert worse({}, {A: GOOD})[A].status == "SKIPPED"
    assert worse({}, {A: TOLD, B: BAD}) == {}


def test_a_failure_that_only_the_gateway_has_is_worse() -> None:
    assert worse({A: GOOD, B: BAD}, {A: GOOD}) == {B: BAD}
    assert worse({A: GOOD, B: TOLD}, {A: GOOD}) == {}


def test_worse_than_a_warning_is_worse() -> None:
    assert worse({A: BAD}, {A: WARNED}) == {A: BAD}


def test_expected_lines_take_away_what_they_name_and_no_more() -> None:
    left, idle = judge({A: BAD, B: BAD}, (Expected("tools", WHY, ("a",)),))
    assert (left, idle) == ({B: BAD}, [])


def test_a_line_without_checks_stands_for_its_scenario_and_a_star_for_many() -> None:
    assert judge({A: BAD, B: BAD}, (Expected("tools", WHY),)) == ({}, [])
    many = {Check("auth/x", "a"): BAD, Check("auth/y", "a"): BAD}
    assert judge(many, (Expected("auth/*", WHY),)) == ({}, [])


def test_an_expected_failure_that_went_well_is_told() -> None:
    (idle,) = judge({A: BAD}, (Expected("tools", WHY, ("a", "b")),))[1]
    assert idle.checks == ("b",)
    (idle,) = judge({A: BAD}, (Expected("prompts", WHY),))[1]
    assert idle.scenario == "prompts"


def written(folder: Path, *lines: str) -> Path:
    place = folder / "expected.toml"
    place.write_text("\n".join(lines))
    return place


def test_every_line_has_a_reason_and_stands_once(tmp_path: Path) -> None:
    line = ("[[expected]]", 'scenario = "tools"', 'checks = ["a"]')
    with pytest.raises(ValueError, match="no reason"):
        read_expected(written(tmp_path, *line, 'reason = "because"'))
    whole = (*line, f'reason = "{WHY}"')
    assert read_expected(written(tmp_path, *whole)) == (Expected("tools", WHY, ("a",)),)
    with pytest.raises(ValueError, match="twice"):
        read_expected(written(tmp_path, *whole, *whole))
