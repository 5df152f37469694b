from typing import Any

import orjson
import pytest

from lockgate.approval.payload import stored
from lockgate.model import binding_of
from lockgate.model.inquiry import Need
from support.desk import NOW, Desk
from support.inquiries import inquiry
from worlds import call

CONFIG = """policies: policies
approvals:
  factors:
    owner: {people: [os:opal, os:carol]}
    catalogue: {people: [os:opal, os:carol], minutes: 1440, window_minutes: 1440}
"""
CALL = call("pay", amount=50, to="x")
BOUNDS = ("--bound", "/amount<=100", "--bound", "/to=x")
MOMENT = "2027-01-16T08:00:00+00:00"


@pytest.fixture
def asked(desk: Desk) -> Desk:
    desk.configure(CONFIG)
    binding = binding_of(CALL, {"approval.gate": "g"})
    desk.inquiries.add(
        inquiry(digest=binding.digest, binding=binding, title="clinic/pay", created=NOW,
                expires=NOW + 900_000, kept_until=NOW + 10**7, needs=(Need("owner"),)),
        stored(CALL),
    )  # fmt: skip
    return desk


def told(desk: Desk, *words: str) -> Any:
    found = desk.type(*words, "--json")
    assert found.code == 0, found.err
    return found.json


def test_a_grant_is_proposed_listed_and_ended(asked: Desk) -> None:
    made = asked.type("approvals", "grant", "q1", "--uses", "5", "--for", "30m", *BOUNDS)
    assert (made.code, made.out.startswith("in force until 2027-01-15T08:30")) == (0, True)
    (one,) = told(asked, "approvals", "grants")
    assert (one["uses"], one["bounds"]) == (5, ["/amount at-most 100", "/to equals x"])
    assert "/amount at-most 100" in asked.type("approvals", "grants").out
    assert "in force" not in asked.type("approvals", "list").out, "it waits for nobody"
    assert told(asked, "approvals", "show", one["id"])["facts"]["uses"] == "5"
    assert asked.type("approvals", "end-grant", one["id"]).out.startswith("revoked")
    assert asked.type("approvals", "grants").err == "No grant is in force.\n"


def test_a_grant_that_others_must_agree_to_says_so(asked: Desk) -> None:
    asked.configure(CONFIG.replace("[os:opal, os:carol]}", "[os:carol]}", 1))
    assert asked.type("approvals", "grant", "q1", "--uses", "5", "--for", "1h", *BOUNDS).code == 3
    asked.become("alice")
    made = asked.type("approvals", "grant", "q1", "--uses", "5", "--for", "1h", *BOUNDS)
    assert (made.code, "It takes others' yes" in made.out) == (0, True)


@pytest.mark.parametrize(
    "words",
    [("grant", "q1", "--uses", "5", "--for", "2d", *BOUNDS),
     ("grant", "q1", "--for", "1h", *BOUNDS),
     ("grant", "q1", "--uses", "5", "--for", "1h"), ("edit", "q1"), ("edit",), ("apply",),
     ("delegate", "os:carol"), ("delegate", "os:carol", "--until", "tomorrow"), ("undelegate",)],
)  # fmt: skip
def test_bad_usage(asked: Desk, words: tuple[str, ...]) -> None:
    assert asked.type("approvals", *words).code == 2


def test_arguments_are_edited(asked: Desk) -> None:
    new = told(asked, "approvals", "edit", "q1", "--set", "/amount=10")
    assert (new["parent"], new["changes"]) == ("q1", ["/amount: 50 -> 10"])
    assert asked.type("approvals", "approve", new["id"]).code == 3
    asked.become("carol")
    assert asked.type("approvals", "approve", new["id"]).code == 0
    assert orjson.loads(told(asked, "approvals", "show", new["id"])["arguments"])["arguments"] == {
        "amount": 10, "to": "x",
    }  # fmt: skip
    assert asked.type("approvals", "edit", new["id"], "--set", "/amount=1").code == 3


def test_an_edit_is_told(asked: Desk) -> None:
    found = asked.type("approvals", "edit", "q1", "--set", "/amount=10")
    assert (found.code, "/amount: 50 -> 10" in found.out) == (0, True)


def test_somebody_else_answers_for_a_time(asked: Desk) -> None:
    lent = told(asked, "approvals", "delegate", "os:frank", "--until", MOMENT, "--away")
    assert (lent["giver"], lent["taker"], lent["away"]) == ("os:opal", "os:frank", True)
    assert told(asked, "approvals", "delegations") == [lent]
    assert "os:frank" in asked.type("approvals", "delegations").out
    asked.become("frank")
    assert asked.type("approvals", "approve", "q1").code == 0
    assert "no more" in asked.type("approvals", "undelegate", lent["id"]).out
    assert "Nobody" in asked.type("approvals", "delegations").err
    words = ("delegate", "os:greta", "--until", MOMENT, "--factor", "owner")
    again = asked.type("approvals", *words)
    assert (again.code, "nothing to lend" in again.err) == (3, True)


def test_a_change_of_the_configuration_is_asked_for_and_applied(asked: Desk) -> None:
    new = asked.root / "new.yaml"
    new.write_text(CONFIG + "limits: {message_bytes: 100000}\n")
    found = told(asked, "config", "propose", str(new))
    assert asked.config.read_text() == CONFIG
    shown = asked.type("approvals", "show", found["id"])
    assert "+limits: {message_bytes: 100000}" in shown.out.split("\n")
    assert asked.type("approvals", "approve", found["id"]).code == 3
    assert asked.type("approvals", "apply", found["id"]).code == 3
    asked.become("carol")
    assert asked.type("approvals", "approve", found["id"]).code == 0
    assert "wrote" in asked.type("approvals", "apply", found["id"]).out
    assert asked.config.read_text() == new.read_text()
