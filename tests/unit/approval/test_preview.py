from time import process_time
from typing import Any

import pytest

from lockgate.approval.preview import (
    NoPreview,
    PlanFact,
    PreviewRule,
    arguments_for,
    plan_facts,
    runs_it,
)

EXPLAIN = PreviewRule("query", {"sql": "EXPLAIN {/sql}", "db": "main"})
POSTGRES = """Update on prescription  (cost=0.15..8.17 rows=1 width=46)
  ->  Index Scan using pk on public.patient p  (cost=0.15..8.17 rows=12 width=46)"""


def test_an_argument_that_stands_alone_goes_over_as_it_is() -> None:
    rule = PreviewRule("dry_run", {"dose": "{/a/dose}", "kind": "x"})
    assert arguments_for(rule, {"a": {"dose": 5}}) == {"dose": 5, "kind": "x"}


@pytest.mark.parametrize(
    "sql", ["SELECT 1", "update t set a = 1 where b = 2;", "WITH x AS (SELECT 1) DELETE FROM t"]
)
def test_one_statement_is_explained(sql: str) -> None:
    assert arguments_for(EXPLAIN, {"sql": sql}) == {"sql": f"EXPLAIN {sql}", "db": "main"}


@pytest.mark.parametrize(
    "sql",
    ["SELECT 1; DROP TABLE t", "ANALYZE DELETE FROM t", "(ANALYZE) DELETE FROM t",
     "/* */ SELECT 1; DELETE FROM t", "DROP TABLE t", "", 7, None, ["SELECT 1"],
     "SELECT 1 \\g DELETE FROM t", "SELECT 1\n\\! rm x", "SELECT 1\0",
     "SELECT ';' FROM t", "verbose delete from t", "SELECT 1;;", "-- x\nDELETE FROM t"],
)  # fmt: skip
def test_whatever_could_run_is_not_even_asked_about(sql: Any) -> None:
    with pytest.raises(NoPreview):
        arguments_for(EXPLAIN, {"sql": sql})


def test_an_argument_that_is_not_there() -> None:
    with pytest.raises(NoPreview, match="no argument /sql"):
        arguments_for(EXPLAIN, {"query": "SELECT 1"})


def test_tables_and_rows_of_a_plan() -> None:
    assert plan_facts(POSTGRES) == (PlanFact("prescription", 1), PlanFact("public.patient", 12))
    assert plan_facts("QUERY PLAN\n`--SEARCH patient USING INDEX x (id=?)\n`--SCAN visit") == (
        PlanFact("patient"), PlanFact("visit"),
    )  # fmt: skip
    assert plan_facts("All is well.") == ()


@pytest.mark.parametrize(
    "text",
    ["on " + "a" * 20_000, ("on " + "a" * 40 + " ") * 450, "on a (" + "rows" * 5_000,
     "on a (rows=" + "9" * 5_000],
)  # fmt: skip
def test_a_plan_made_to_be_hard_to_read_costs_nothing(text: str) -> None:
    """The upstream wrote it, and it is read where everybody's requests run."""
    began = process_time()
    assert plan_facts(text) == ()
    assert process_time() - began < 0.5


@pytest.mark.parametrize("template", ["EXPLAIN ANALYZE {/sql}", "explain (analyse, buffers){/sql}"])
def test_a_template_that_would_run_it(template: str) -> None:
    assert runs_it(template)
    assert not runs_it(template.replace("{/sql}", "SELECT 1"))
    assert not runs_it("EXPLAIN {/sql}")
