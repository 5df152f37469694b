from typing import Any

import pytest
from msgspec.structs import replace

from lockgate.approval.payload import stored
from support.desk import Desk
from support.inquiries import CALL, inquiry, vote

POISON = '{"text":"\u202egpj.exe \x9b2J \u200b<b>"}'


def ask(desk: Desk, **changes: Any) -> None:
    times = {"created": desk.now, "expires": desk.now + 900_000, "kept_until": desk.now + 10**7}
    sent = replace(CALL, params=changes.pop("params", CALL.params))
    desk.inquiries.add(inquiry(**times | changes), stored(sent))


def test_what_happens_on_yes_and_what_was_before(desk: Desk) -> None:
    desk.configure("approvals: {factors: {owner: {people: os:opal}}}")
    ask(desk, id="q0", digest="0", created=desk.now - 1, state="denied")
    ask(desk)
    desk.inquiries.replace(
        replace(inquiry(created=desk.now, expires=desk.now + 900_000, version=2)),
        vote("os:carol", note="looks\u202e fine"),
    )
    lines = {
        line[:10].strip(): line[11:]
        for line in desk.type("approvals", "show", "q1").out.splitlines()
    }
    assert lines["on yes"].startswith("delete_patient of clinic runs once, ")
    assert "within 0 s" in lines["on yes"]
    assert lines["said"].startswith("yes by os:carol as owner at ")
    assert lines["said"].endswith('"looks\\u{202e} fine"')
    assert lines["before"].startswith("this person asked 1 times: denied ")
    assert lines[""].startswith("this agent asked 1 times: denied ")
    assert lines["you"] == "owner"
    told: Any = desk.type("approvals", "show", "q1", "--json").json
    assert told["before"]["first_of_person"] is False
    assert told["before"]["by_agent"][0]["id"] == "q0"
    assert told["on_yes"]["times"] == 1


def test_the_first_time_is_said(desk: Desk) -> None:
    ask(desk)
    assert "the first time this person asks for this" in desk.type("approvals", "show", "q1").out
    assert "the first time this agent asks for this" in desk.type("approvals", "show", "q1").out


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_poisoned_words_steer_nothing_and_are_all_there(desk: Desk, words: tuple[str, ...]) -> None:
    ask(desk, params=POISON.encode(), title="clinic/\x1b]0;pwned\x07", agent="a\u2066b")
    said = desk.type("approvals", "show", "q1", *words).out
    assert said.replace("\n", "").isprintable()
    shown = said if words else said.replace("\\u{", "\\u").replace("}", "")
    for hidden in ("202e", "009b", "200b", "2066"):
        assert f"\\u{hidden}" in shown
    assert "<b>" in said
