"""Every scenario, over each era and store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockgate.audit.ports import EventStore
from lockgate.model import JournalDown
from lockgate.store.events import StoredEvents
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.migrate import upgrade
from lockgate.store.sqlite import open_sqlite
from support.scenario import Stage, Story, read_stories, stories_of, told

STORIES = read_stories()
TOLD = [(story, era) for story in STORIES for era in story.eras]
KNOWN = {
    "effect", "reason", "forwarded", "audit", "shows", "conditional", "sent", "says", "progress",
    "asked",
}  # fmt: skip


def store(kind: str, folder: Path) -> EventStore:
    if kind == "memory":
        return MemoryEvents()
    return StoredEvents(open_sqlite(folder / "events.db", upgrade))


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize(("story", "era"), TOLD, ids=[f"{s.title}-{era}" for s, era in TOLD])
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
    seen: dict[str, Callable[[], object]] = {
        "effect": lambda: [r.effect for r in rows if r.kind == "call.intent"],
        "audit": lambda: [f"{r.kind} {r.effect} {r.reason}" for r in rows],
        "shows": lambda: answer["shows"],
        "conditional": lambda: answer["conditional"],
        "sent": lambda: dict(forwarded[0].arguments),
        "progress": lambda: len(stage.heard),
        "asked": lambda: stage.simulated.answers,
    }
    for word in seen.keys() & then:
        wanted = [then[word]] if word == "effect" else then[word]
        assert seen[word]() == wanted, word
    assert then.get("says", "") in answer.get("text", "")


def test_a_scenario_that_lacks_a_part_is_no_scenario() -> None:
    with pytest.raises(KeyError):
        stories_of('title = "x"\n[given]\n[when]\n')


def test_there_are_scenarios() -> None:
    assert len(STORIES) > 10
