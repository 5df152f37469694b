import pytest

from lockgate.control_plane.services.keys import DAY_MS
from support.desk import Desk

ALICE = ("keys", "create", "--kind", "personal", "--owner", "alice", "--expires")


def test_nothing_to_report(desk: Desk) -> None:
    found = desk.type("keys", "report")
    assert (found.code, found.out) == (0, "")
    assert "no valid key" in found.err


def test_keys_in_order_are_exit_code_0(desk: Desk) -> None:
    desk.type(*ALICE, "90d")
    found = desk.type("keys", "report")
    assert found.code == 0
    assert "0 of 1" in found.err


def test_findings_are_exit_code_1(desk: Desk) -> None:
    desk.type(*ALICE, "90d")
    desk.now += 31 * DAY_MS
    found = desk.type("keys", "report")
    assert found.code == 1
    assert "never-used" in found.out
    assert "1 of 1" in found.err
    assert desk.type("keys", "report", "--unused", "5w").code == 0


def test_json_holds_what_the_table_says(desk: Desk) -> None:
    desk.type(*ALICE, "1y")
    (record,) = desk.keys.list()
    desk.keys.note_used({record.id: desk.now})
    desk.now += 40 * DAY_MS
    found = desk.type("keys", "report", "--older-than", "39d", "--json")
    assert found.code == 1
    assert found.json == [{
        "id": record.id, "kind": "personal", "subject": "alice", "owner": "alice",
        "age_days": 40, "days_left": 325, "created": "2027-01-15T08:00:00.000Z",
        "expires": "2028-01-15T08:00:00.000Z", "used": "2027-01-15T08:00:00.000Z",
        "successor": None, "findings": ["old", "unused", "long-lived"],
    }]  # fmt: skip


@pytest.mark.parametrize("option", ["--older-than", "--unused", "--longest"])
def test_a_bound_that_is_none(desk: Desk, option: str) -> None:
    found = desk.type("keys", "report", option, "soon")
    assert found.code == 2
    assert option in found.err


def test_a_store_that_cannot_be_read_is_no_all_clear(desk: Desk) -> None:
    desk.down = True
    assert desk.type("keys", "report").code == 3
