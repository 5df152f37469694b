import json

import msgspec

from lockgate.model import AuditEvent, EventKind
from support.desk import NOW, Desk


def event(
    number: int, kind: EventKind, call: str = "call-1", target: str = "git_diff"
) -> AuditEvent:
    return AuditEvent(
        f"e{number}", call, kind, NOW + number, "PERMIT", "policy.permitted",
        {"method": "tools/call", "upstream": "git", "target": target, "verdicts": []},
        {"actor": b'{"subject": "alice"}', "args": b'{"a": 1}'},
    )  # fmt: skip


def test_tail_shows_the_newest_oldest_first(desk: Desk) -> None:
    desk.events.append([event(n, "call.intent", f"c{n}") for n in range(5)])
    lines = desk.type("audit", "tail", "-n", "2").out.splitlines()
    assert [line.split()[-1] for line in lines] == ["c3", "c4"]
    assert lines[0].startswith("2027-01-15T08:00:00.003Z  call.intent")
    assert "alice" in lines[0]
    assert "tools/call git git_diff" in lines[0]


def test_tail_says_of_an_outcome_too_who_called(desk: Desk) -> None:
    ends = msgspec.structs.replace(event(2, "call.outcome"), slots={})
    desk.events.append([event(1, "call.intent"), ends])
    for lines in ("2", "1"):
        assert "alice" in desk.type("audit", "tail", "-n", lines).out.splitlines()[-1]


def test_tail_as_json_is_one_object_a_line(desk: Desk) -> None:
    desk.events.append([event(n, "call.intent") for n in range(2)])
    rows = [json.loads(line) for line in desk.type("audit", "tail", "--json").out.splitlines()]
    assert [row["id"] for row in rows] == ["e0", "e1"]
    assert rows[0]["slots"]["args"] == {"a": 1}


def test_following(desk: Desk) -> None:
    desk.events.append([event(0, "call.intent", "c0")])
    desk.pauses = [
        lambda: desk.events.append([event(1, "call.outcome", "c1")]),
        None,
        lambda: desk.events.append([event(2, "call.outcome", "c2")]),
    ]
    lines = desk.type("audit", "tail", "-n", "0", "--follow").out.splitlines()
    assert [line.split()[-1] for line in lines] == ["c1", "c2"]


def test_an_empty_journal(desk: Desk) -> None:
    assert desk.type("audit", "tail").out == ""
    desk.pauses = [lambda: desk.events.append([event(1, "call.intent", "c1")])]
    assert "c1" in desk.type("audit", "tail", "-f").out


def test_what_strangers_wrote_cannot_steer_the_terminal(desk: Desk) -> None:
    desk.events.append([event(0, "call.intent", target="a\x1b[2J\nforged line")])
    for found in (desk.type("audit", "tail").out, desk.type("audit", "show", "e0").out):
        assert "\x1b" not in found
        assert not any(line.startswith("forged") for line in found.splitlines())


def test_show_by_call_and_by_event(desk: Desk) -> None:
    desk.events.append([event(0, "call.intent"), event(7, "call.outcome")])
    shown = desk.type("audit", "show", "call-1").out
    assert desk.type("audit", "show", "e0").out == shown
    assert "finished" in shown
    assert "7 ms" in shown
    assert "alice" in shown


def test_show_an_unfinished_call(desk: Desk) -> None:
    desk.events.append([event(0, "call.intent")])
    assert "no outcome" in desk.type("audit", "show", "call-1").out


def test_show_a_held_call(desk: Desk) -> None:
    desk.events.append([msgspec.structs.replace(event(0, "call.intent"), effect="hold")])
    shown = desk.type("audit", "show", "call-1").out
    assert "no outcome" not in shown
    assert "lockgate approvals approve call-1" in shown
    desk.events.append([event(1, "admin.changed")])
    shown = desk.type("audit", "show", "call-1").out
    assert "got its yes" in shown
    assert "approvals approve" not in shown


def test_show_as_json(desk: Desk) -> None:
    desk.events.append([event(0, "call.intent"), event(1, "call.outcome")])
    found = desk.type("audit", "show", "call-1", "--json").json
    assert isinstance(found, dict)
    assert found["state"] == "finished"
    assert len(found["events"]) == 2


def test_a_damaged_actor_is_left_out(desk: Desk) -> None:
    odd = AuditEvent("e", "c", "call.intent", NOW, "DENY", "x", {}, {"actor": b"\xff"})
    desk.events.append([odd])
    assert desk.type("audit", "tail").code == 0


def test_nothing_on_record(desk: Desk) -> None:
    assert desk.type("audit", "show", "gone").code == 3
