import json
from pathlib import Path

from conformance.suite import Check, Finding, Found, read

WHEN = "2026-11-22T20-16-20-857Z"


def wrote(out: Path, folder: str, *checks: tuple[str, str, str]) -> None:
    place = out / f"{folder}-{WHEN}"
    place.mkdir(parents=True)
    keys = ("id", "status", "errorMessage")
    entries = [dict(zip(keys, check, strict=True)) for check in checks]
    (place / "checks.json").write_text(json.dumps(entries))


def test_findings_are_read_by_scenario_and_check(tmp_path: Path) -> None:
    wrote(tmp_path, "server-server-stateless", ("a", "SUCCESS", ""))
    wrote(tmp_path, "server-tools-list", ("a", "FAILURE", "none"))
    wrote(tmp_path, "auth/metadata-var1", ("a", "WARNING", "late"))
    assert read(tmp_path) == {
        Check("server-stateless", "a"): Finding("SUCCESS"),
        Check("tools-list", "a"): Finding("FAILURE", "none"),
        Check("auth/metadata-var1", "a"): Finding("WARNING", "late"),
    }


def test_the_worst_of_several_looks_counts(tmp_path: Path) -> None:
    wrote(tmp_path, "server-x", ("a", "SUCCESS", ""), ("a", "FAILURE", "2"), ("a", "INFO", ""))
    assert read(tmp_path) == {Check("x", "a"): Finding("FAILURE", "2")}


def test_figures_count_checks_and_scenarios() -> None:
    findings = {Check("x", "a"): Finding("SUCCESS"), Check("x", "b"): Finding("FAILURE"),
                Check("y", "a"): Finding("SKIPPED"), Check("y", "b"): Finding("INFO")}  # fmt: skip
    found = Found(findings, 1.0, "")
    assert found.figures == "2 scenarios, checks: 2 well, 1 failed, 1 skipped"
