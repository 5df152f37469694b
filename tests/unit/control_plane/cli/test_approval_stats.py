from typing import Any

import pytest

from lockgate.approval.payload import stored
from support.desk import Desk
from support.inquiries import CALL, inquiry, vote


def ask(desk: Desk, count: int) -> None:
    for n in range(count):
        one = inquiry(f"q{n}", digest=str(n), holder=f"person:p{n}", created=desk.now - 60_000,
                      expires=desk.now + 10**6)  # fmt: skip
        desk.inquiries.add(one, stored(CALL))
        over = inquiry(f"q{n}", digest=str(n), holder=f"person:p{n}", created=desk.now - 60_000,
                       expires=desk.now + 10**6, state="approved", decided=desk.now - 20_000,
                       version=2)  # fmt: skip
        desk.inquiries.replace(over, vote(f"os:a{n}", inquiry=f"q{n}", at=desk.now - 20_000))


def test_nobody_was_asked(desk: Desk) -> None:
    assert "Nobody was asked" in desk.type("approvals", "stats").err


def test_figures_and_no_people(desk: Desk) -> None:
    ask(desk, 6)
    found = desk.type("approvals", "stats")
    assert found.code == 0
    assert "6 questions: 6 approved" in found.out
    figures = ["6", "40", "s", "40", "s", "100%", "0%", "0%", "0"]
    rows = [line.split() for line in found.out.splitlines()]
    assert ["all", *figures] in rows
    assert ["factor", "owner", *figures] in rows
    assert not any(name in found.out for name in ("os:", "person:"))
    told: Any = desk.type("approvals", "stats", "--json").json
    assert told["whole"]["median_seconds"] == 40.0
    assert set(told["tools"]) == {"clinic/delete_patient"}


def test_of_too_few_there_are_only_counts(desk: Desk) -> None:
    ask(desk, 2)
    told: Any = desk.type("approvals", "stats", "--json").json
    assert (told["whole"]["questions"], told["whole"]["median_seconds"]) == (2, None)
    assert "others" in desk.type("approvals", "stats").out


@pytest.mark.parametrize("wrong", ["soon", "5", "-1d"])
def test_a_time_that_is_none(desk: Desk, wrong: str) -> None:
    assert desk.type("approvals", "stats", "--since", wrong).code == 2


def test_it_is_for_readers(desk: Desk) -> None:
    desk.configure("admin: {enforced: true}")
    assert desk.type("approvals", "stats").code == 3
