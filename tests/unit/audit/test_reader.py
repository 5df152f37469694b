import msgspec
import orjson
import pytest

from lockgate.audit.reader import export, export_lines, find_story, read_story, timestamp
from lockgate.model import AuditEvent, EventKind, Recorded, Slot
from lockgate.store.memory_events import MemoryEvents


def event(
    name: str, kind: EventKind, at: int, call: str = "c1", header: dict[str, object] | None = None,
    slots: dict[Slot, bytes] | None = None,
) -> AuditEvent:  # fmt: skip
    return AuditEvent(name, call, kind, at, "permit", "auth.missing", header or {}, slots or {})


INTENT = event("e1", "call.intent", 1_000, header={"method": "tools/call", "digest": "d1"},
               slots={"args": b'{"a":1}', "actor": b'{"subject":"alice"}'})  # fmt: skip
OUTCOME = event("e2", "call.outcome", 1_250, header={"bytes": 7}, slots={"result": b"{}"})


@pytest.fixture
def store() -> MemoryEvents:
    made = MemoryEvents()
    made.append([INTENT, event("x", "call.refused", 1_100, call="c2"), OUTCOME])
    return made


def test_a_story_joins_the_rows_of_one_call(store: MemoryEvents) -> None:
    story = read_story(store, "c1")
    assert story is not None
    assert (story.intent, story.outcome) == (INTENT, OUTCOME)
    assert (story.state, story.began, story.lasted_ms) == ("finished", 1_000, 250)
    assert story.about == {"method": "tools/call", "digest": "d1", "bytes": 7}
    assert set(story.slots) == {"args", "actor", "result"}


def test_an_intent_without_an_outcome_is_unfinished() -> None:
    store = MemoryEvents()
    store.append([INTENT])
    story = read_story(store, "c1")
    assert story is not None
    assert (story.state, story.outcome) == ("unfinished", None)


@pytest.mark.parametrize(("effect", "state"), [("deny", "refused"), ("hold", "held")])
def test_a_call_that_was_not_permitted_was_never_sent(effect: str, state: str) -> None:
    store = MemoryEvents()
    store.append([msgspec.structs.replace(INTENT, effect=effect)])
    store.append([event("e3", "admin.changed", 1_500)])  # for instance an approval
    story = read_story(store, "c1")
    assert story is not None
    assert story.state == state


def test_a_call_whose_answer_was_withheld_was_sent_all_the_same(store: MemoryEvents) -> None:
    store.append([event("e3", "call.refused", 1_300)])
    story = read_story(store, "c1")
    assert story is not None
    assert (story.state, story.outcome) == ("finished", OUTCOME)


def test_a_refused_call_has_its_refusal_as_outcome(store: MemoryEvents) -> None:
    story = read_story(store, "c2")
    assert story is not None
    assert story.state == "refused"
    assert story.intent is None
    assert story.outcome is not None


def test_a_story_is_found_by_any_of_its_events(store: MemoryEvents) -> None:
    assert find_story(store, "e2") == find_story(store, "c1") == read_story(store, "c1")


def test_an_event_of_no_call_is_a_story_of_its_own(store: MemoryEvents) -> None:
    for name in ("a1", "a2"):
        store.append([event(name, "auth.refused", 5, call="")])
    story = find_story(store, "a1")
    assert story is not None
    assert [row.event.id for row in story.rows] == ["a1"]
    assert story.state == "refused"


def test_nothing_on_record_is_no_story(store: MemoryEvents) -> None:
    assert read_story(store, "nobody") is None
    assert read_story(store, "") is None
    assert find_story(store, "nobody") is None


def test_an_event_is_exported_as_one_line_of_json() -> None:
    line = export(Recorded(4, INTENT))
    assert b"\n" not in line
    assert orjson.loads(line) == {
        "seq": 4, "id": "e1", "call": "c1", "kind": "call.intent", "at": "1970-01-01T00:00:01.000Z",
        "effect": "permit", "reason": "auth.missing",
        "header": {"method": "tools/call", "digest": "d1"},
        "slots": {"args": {"a": 1}, "actor": {"subject": "alice"}}, "withheld": [],
    }  # fmt: skip


def test_slots_can_be_withheld_and_that_is_said() -> None:
    told = orjson.loads(export(Recorded(4, INTENT), slots={"actor"}))
    assert told["slots"] == {"actor": {"subject": "alice"}}
    assert told["withheld"] == ["args"]


def test_a_damaged_slot_does_not_spoil_the_export() -> None:
    damaged = event("e1", "call.intent", 1, slots={"args": b"{\xff"})
    assert orjson.loads(export(Recorded(1, damaged)))["slots"] == {"args": "{\\xff"}


def test_lines_end_each_with_a_line_break() -> None:
    lines = export_lines([Recorded(1, INTENT), Recorded(2, OUTCOME)])
    assert [orjson.loads(line)["seq"] for line in lines.splitlines()] == [1, 2]
    assert lines.endswith(b"\n")


@pytest.mark.parametrize(
    ("at", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (1_767_225_600_007, "2026-01-01T00:00:00.007Z")],
)
def test_times_are_told_in_utc_to_the_millisecond(at: int, text: str) -> None:
    assert timestamp(at) == text
