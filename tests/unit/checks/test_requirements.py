from pathlib import Path

import pytest

from checks import requirements
from support.small_tree import grumbles, plant

TEST = "tests/faults/test_a.py"
FILES = {
    TEST: "def test_f(): ...\nclass TestB:\n    def test_g(self): ...\n",
    "Makefile": "breakages: x ## Break.\n",
}


def said(tmp_path: Path, tests: str, extra: str = "", **files: str) -> list[str]:
    entry = f'[[requirement]]\nid = "GATE-01"\nsource = "s"\ntext = "t"\ntests = {tests}\n'
    planted = {**FILES, **files, requirements.MANIFEST: entry + extra}
    return grumbles(requirements.find, plant(tmp_path, planted))


@pytest.mark.parametrize(
    "named", [TEST, f"{TEST}::test_f", f"{TEST}::test_f[x]", f"{TEST}::TestB::test_g"]
)
def test_a_requirement_with_its_test(tmp_path: Path, named: str) -> None:
    assert said(tmp_path, f'["{named}", "Makefile::breakages"]') == []


@pytest.mark.parametrize(
    "named", ["tests/faults/test_b.py", f"{TEST}::test_h", "Makefile::nothing", f"{TEST}::test_g"]
)
def test_a_test_that_does_not_exist(tmp_path: Path, named: str) -> None:
    assert f"names {named}, which does not exist" in said(tmp_path, f'["{named}", "{TEST}"]')[0]


def test_a_requirement_without_a_test(tmp_path: Path) -> None:
    found = said(tmp_path, "[]")
    assert found[0] == "docs/requirements.toml: GATE-01 has no test: t"
    assert "is named by no requirement" in found[1]


def test_a_scenario_that_no_requirement_names(tmp_path: Path) -> None:
    scenario = {"tests/scenarios/a.toml": ""}
    assert said(tmp_path, f'["{TEST}"]', **scenario) == [
        "tests/scenarios/a.toml: is named by no requirement in docs/requirements.toml"
    ]


def test_a_malformed_and_a_repeated_entry(tmp_path: Path) -> None:
    again = f'[[requirement]]\nid = "GATE-01"\ntext = "t"\ntests = ["{TEST}"]\n'
    found = said(tmp_path, f'["{TEST}"]', again)
    assert [f.split(": ")[1] for f in found] == [
        "GATE-01 needs exactly id, source, tests, text",
        "GATE-01 is there twice",
    ]
