from typing import Any

import pytest

from lockgate.approval.payload import stored
from lockgate.model.inquiry import Need
from support.desk import Desk
from support.inquiries import CALL, inquiry

CONFIG = """
approvals:
  factors:
    owner: {people: [os:opal, os:carol], count: 1}
"""


@pytest.fixture
def waiting(desk: Desk) -> Desk:
    desk.configure(CONFIG)
    ask(desk)
    return desk


def ask(desk: Desk, **changes: Any) -> None:
    times = {"created": desk.now, "expires": desk.now + 900_000, "kept_until": desk.now + 10**7}
    desk.inquiries.add(inquiry(**times | changes), stored(CALL))


def test_what_waits_is_listed(waiting: Desk) -> None:
    found = waiting.type("approvals", "list")
    assert found.code == 0
    for shown in ("q1", "person:alice", "clinic/delete_patient", "owner", "pending"):
        assert shown in found.out
    assert "p-1" not in found.out, "arguments are shown one by one"
    rows: Any = waiting.type("approvals", "list", "--json").json
    assert [(row["id"], row["missing"], row["mine"]) for row in rows] == [
        ("q1", {"owner": 1}, ["owner"])
    ]
    assert waiting.type("approvals", "list", "--past").err == "Nothing is over yet.\n"


def test_one_is_shown_with_what_will_run_exactly(waiting: Desk) -> None:
    found = waiting.type("approvals", "show", "q1")
    assert (found.code, '"patient_id":"p-1"' in found.out) == (0, True)
    told: Any = waiting.type("approvals", "show", "c1", "--json").json
    assert told["arguments"] == CALL.params.decode()
    assert told["digest"] == inquiry().digest
    assert waiting.type("approvals", "show", "q9").code == 3


def test_arguments_are_for_those_who_may_answer(waiting: Desk) -> None:
    waiting.configure(CONFIG + "admin: {enforced: true}")
    waiting.become("root")
    shown = waiting.type("approvals", "show", "q1")
    assert (shown.code, shown.out) == (3, "")
    assert waiting.type("approvals", "list").err == "Nothing waits for a yes.\n"


def test_a_yes(waiting: Desk) -> None:
    found = waiting.type("approvals", "approve", "q1", "--note", "fine")
    assert (found.code, found.out) == (
        0, "approved: clinic/delete_patient, asked by person:alice\n"
    )  # fmt: skip
    asked = waiting.inquiries.get("q1")
    assert asked is not None
    assert (asked.inquiry.state, asked.votes[0].voter) == ("approved", "os:opal")
    assert waiting.type("approvals", "approve", "q1").code == 3


def test_a_yes_that_is_not_enough_says_what_is_missing(waiting: Desk) -> None:
    ask(waiting, id="q2", digest="2", needs=(Need("owner", 2),))
    found = waiting.type("approvals", "approve", "q2")
    assert found.out == "said yes to clinic/delete_patient; it still needs owner (1)\n"


def test_a_yes_to_something_else_is_none(waiting: Desk) -> None:
    assert waiting.type("approvals", "approve", "q1", "--digest", "0" * 64).code == 3


def test_a_no_and_a_veto(waiting: Desk) -> None:
    told: Any = waiting.type("approvals", "deny", "q1", "--json").json
    assert told["state"] == "denied"
    ask(waiting, id="q2", digest="2")
    assert waiting.type("approvals", "deny", "q2", "--veto").out.startswith("vetoed: ")


def test_taking_a_yes_back(waiting: Desk) -> None:
    waiting.type("approvals", "approve", "q1")
    assert waiting.type("approvals", "withdraw", "q1").out == "revoked: q1\n"
    assert "revoked" in waiting.type("approvals", "list", "--past").out
