"""Every scenario, over each era and store."""

from pathlib import Path
from typing import Any

import pytest

from lockgate.audit.ports import EventStore
from lockgate.model import JournalDown
from lockgate.store.database import open_database
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.migrate import upgrade
from lockgate.store.sqlite_events import SqliteEvents
from support.scenario import Stage, Story, read_stories, stories_of, told

STORIES = read_stories()
KNOWN = {
    "effect", "reason", "forwarded", "audit", "shows", "conditional", "sent", "says", "progress",
}  # fmt: skip


def store(kind: str, folder: Path) -> EventStore:
    if kind == "memory":
        return MemoryEvents()
    return SqliteEvents(open_database(folder / "events.db", upgrade))


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize("story", STORIES, ids=lambda s: s.title)
async def test_scenario(story: Story, era: str, kind: str, tmp_path: Path) -> None:
    stage = Stage(story, store(kind, tmp_path))
    for number in range(story.when.get("times", 1) - 1):
        await stage.ask(era, f"c-{number}")
    if "approved" in story.when:
        await stage.ask(era, "c-before")
        stage.approve(story.when["approved"])
    answer = told(await stage.ask(era, "c-last"))
    await drained(stage)
    check(story.then, answer, stage)


async def drained(stage: Stage) -> None:
    try:
        await stage.journal.flush()
    except JournalDown:
        assert "journal: down" in stage.story.faults


def check(then: Any, answer: dict[str, Any], stage: Stage) -> None:
    assert set(then) <= KNOWN, f"unknown words: {set(then) - KNOWN}"
    rows = stage.recorded("c-last")
    forwarded = [c for c in stage.simulated.calls if c.id == "c-last"]
    assert answer["reason"] == then.get("reason", "")
    assert bool(forwarded) == then.get("forwarded", False)
    if "effect" in then:
        assert [r.effect for r in rows if r.kind == "call.intent"] == [then["effect"]]
    if "audit" in then:
        assert [f"{r.kind} {r.effect} {r.reason}" for r in rows] == then["audit"]
    for word in ("shows", "conditional"):
        if word in then:
            assert answer[word] == then[word]
    if "sent" in then:
        assert dict(forwarded[0].arguments) == then["sent"]
    if "says" in then:
        assert then["says"] in answer["text"]
    if "progress" in then:
        assert len(stage.heard) == then["progress"]


def test_a_scenario_that_lacks_a_part_is_no_scenario() -> None:
    with pytest.raises(KeyError):
        stories_of('title = "x"\n[given]\n[when]\n')


def test_there_are_scenarios() -> None:
    assert len(STORIES) > 10
