from pathlib import Path
from typing import Any

import pytest

from lockgate.model import Group, Person
from support.desk import NOW, Desk

ALICE = Person("1", "scim", "alice", "00uA", learned=NOW)


@pytest.fixture
def known(desk: Desk) -> Desk:
    desk.people.put([ALICE], [Group("g", "scim", "nurses", members=frozenset({"1"}))])
    return desk


def test_nobody_is_known(desk: Desk) -> None:
    answer = desk.type("people", "list")
    assert (answer.code, answer.out) == (0, "")
    assert desk.type("people", "list", "--json").json == []


def test_what_sources_say_is_listed(known: Desk) -> None:
    answer = known.type("people", "list")
    assert "USER NAME" in answer.out
    for word in ("alice", "00uA", "scim", "active", "nurses", "2027-01-15"):
        assert word in answer.out
    listed: Any = known.type("people", "list", "--json").json
    assert listed[0] == {
        "id": "1", "source": "scim", "user_name": "alice", "external_id": "00uA",
        "employee": "",
        "state": "active", "groups": ["nurses"], "learned": "2027-01-15T08:00:00.000Z",
    }  # fmt: skip
    assert known.type("people", "list", "--inactive", "--json").json == []


def test_a_person_is_blocked_and_let_in_again(known: Desk) -> None:
    key = known.type("keys", "create", "--kind", "personal", "--owner", "alice",
                     "--expires", "9d", "--json").json  # fmt: skip
    assert isinstance(key, dict)
    answer = known.type("people", "deactivate", "alice")
    assert (answer.code, answer.out) == (0, "alice is inactive\n")
    shown: Any = known.type("people", "show", "alice", "--json").json
    assert (shown["active"], shown["keys"]) == (False, [key["id"]])
    assert [s["source"] for s in shown["sources"]] == ["scim", "operator"]
    assert "no credential is accepted" in known.type("people", "show", "alice").out
    listed: Any = known.type("keys", "list", "--json").json
    assert [k["state"] for k in listed] == ["inactive"]
    assert "inactive" in known.type("keys", "list").out
    assert known.type("people", "deactivate", "alice").code == 3
    assert known.type("people", "reactivate", "alice", "--json").json == {
        "user_name": "alice", "active": True,
    }  # fmt: skip
    assert "alice is active" in known.type("people", "show", "alice").out
    listed = known.type("keys", "list", "--json").json
    assert [k["state"] for k in listed] == ["active"]


def test_a_block_is_on_record_with_who_did_it(known: Desk) -> None:
    known.type("people", "deactivate", "bob")
    (row,) = known.events.tail(1)
    assert row.event.header["action"] == "person.add"
    assert row.event.header["active"] is False
    assert b"opal" in row.event.slots["actor"]


@pytest.mark.parametrize(
    "words", [("show", "nobody"), ("deactivate", ""), ("reactivate", "a\nb")], ids=str
)
def test_what_cannot_be_done_is_said(known: Desk, words: tuple[str, ...]) -> None:
    answer = known.type("people", *words)
    assert answer.code == 3
    assert answer.err.startswith("Refused:")


def test_a_store_that_is_down_is_said(known: Desk, tmp_path: Path) -> None:
    known.down = True
    assert known.type("people", "list").code == 3
