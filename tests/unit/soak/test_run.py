import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from soak.load import reason_of
from soak.run import Plan, Report, read_books, read_rows
from soak.verdict import Growth, Row


def report(**changes: Any) -> Report:
    said: dict[str, Any] = {
        "plan": Plan(), "seconds": 1, "acts": {}, "trouble": {}, "cpu_share": 0.1,
        "growth": [Growth("tasks", 1, 1, 1, 1, holds=True)], "calls": 1, "tokens": 1,
        "unpaired": [], "miscounted": [], "surprises": [], "left": {"faults": []}, "series": {},
    }  # fmt: skip
    return Report(**{**said, **changes})


def test_a_soak_holds_where_nothing_is_wrong() -> None:
    assert report().holds


@pytest.mark.parametrize(
    "wrong",
    [
        {"calls": 0},
        {"growth": [Growth("tasks", 1, 1, 9, 9, holds=False)]},
        {"unpaired": ["c-1"]},
        {"miscounted": ["t-1"]},
        {"surprises": ["what is this"]},
        {"left": {"faults": ["a traceback"]}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_anything_wrong_is_told(wrong: dict[str, Any]) -> None:
    assert not report(**wrong).holds


def test_a_short_run_says_nothing_about_growth() -> None:
    grown = [Growth("tasks", 1, 1, 9, 9, holds=False)]
    assert report(plan=Plan(3), growth=grown).holds
    assert not report(plan=Plan(10), growth=grown).holds


def test_books_of_all_processes_are_counted_together(tmp_path: Path) -> None:
    (tmp_path / "calls.1").write_text("t-1\nt-2\n")
    (tmp_path / "calls.2").write_text("t-2\n")
    assert read_books(tmp_path) == {"t-1": 1, "t-2": 2}


def test_rows_carry_the_token_of_a_counted_call(tmp_path: Path) -> None:
    place = tmp_path / "lockgate.db"
    with closing(sqlite3.connect(place)) as db, db:
        db.execute("CREATE TABLE event (seq, id, call, kind, effect, reason, method)")
        db.execute("CREATE TABLE slot (event_id, slot, data)")
        db.executemany("INSERT INTO event VALUES (?,?,?,?,?,?,?)", [
            (1, "e-1", "c-1", "call.intent", "permit", "r", "tools/call"),
            (2, "e-2", "c-1", "call.outcome", "permit", "r", "tools/call"),
            (3, "e-3", "c-2", "call.intent", "permit", "r", "elicitation/create"),
            (4, "e-4", "s-1", "session.opened", "permit", "r", ""),
        ])  # fmt: skip
        args = json.dumps({"arguments": {"token": "t-1"}})
        db.executemany("INSERT INTO slot VALUES (?, 'args', ?)", [("e-1", args), ("e-3", args)])
    assert list(read_rows(place)) == [
        Row("c-1", "call.intent", "permit", "r", "t-1"),
        Row("c-1", "call.outcome", "permit", "r"),
        Row("c-2", "call.intent", "permit", "r"),
    ]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"result": {"content": []}}, ""),
        ({"result": {"_meta": {"lockgate/reason": "policy.denied"}}}, "policy.denied"),
        ({"error": {"code": 1, "data": {"reason": "session.unknown"}}}, "session.unknown"),
        ({"error": {"code": 1, "message": "of the upstream"}}, "error"),
    ],
    ids=["answer", "refused tool", "refused", "error"],
)
def test_a_refusal_is_told_apart_from_an_answer(said: dict[str, Any], reason: str) -> None:
    assert reason_of(said) == reason
