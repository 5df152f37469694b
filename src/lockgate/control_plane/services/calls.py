"""What was called: lists, one call's story, and what many of them come to."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
import orjson

from lockgate.audit.ports import EventStore
from lockgate.audit.reader import SLOTS, State, Story, export, read_story
from lockgate.control_plane.services.duties import FOR_READERS
from lockgate.control_plane.services.refused import Refused
from lockgate.model import Recorded
from lockgate.model.listed_call import CallsPage, CallsWanted, ListedCall, Tally

STEP_MS = 300_000
BUCKETS = 72
"""Six hours of five minutes each."""
_LONGEST = 256
EFFECTS = ("permit", "hold", "deny")


class CallStore(Protocol):
    """Blocks. Raises ``model.StoreDown``."""

    def page(self, wanted: CallsWanted, before: int, limit: int) -> CallsPage: ...

    def tally(self, since: int, step: int) -> Tally: ...


class CallRow(msgspec.Struct, frozen=True):
    """One call. Times are in milliseconds since the Unix epoch."""

    call: str
    at: int
    principal: str
    """Its subject; empty where that was destroyed."""
    agent: str
    method: str
    upstream: str
    tool: str
    effect: str
    """What it came to: permit, hold or deny."""
    reason: str
    lasted_ms: int | None
    """Until its outcome; null without one."""


class CallRows(msgspec.Struct, frozen=True):
    items: tuple[CallRow, ...]
    older: int


class StoryEvent(msgspec.Struct, frozen=True):
    """One journal row."""

    id: str
    kind: str
    at: int
    effect: str
    reason: str
    header: dict[str, Any]
    """Digests, verdicts, and the facts that decided; names nobody."""
    slots: dict[str, Any]
    """What is personal or confidential, as far as the reader may see it."""
    withheld: tuple[str, ...]
    """Slots that there are, and that the reader may not see."""


class CallStory(msgspec.Struct, frozen=True):
    """All that is on record about one call, first to last."""

    call: str
    state: State
    principal: str
    agent: str
    method: str
    upstream: str
    tool: str
    effect: str
    reason: str
    at: int
    lasted_ms: int
    events: tuple[StoryEvent, ...]


class Overview(msgspec.Struct, frozen=True):
    """The last six hours."""

    tally: Tally
    per_bucket: Mapping[str, tuple[int, ...]]
    """By effect, as judged."""
    median_ms: int | None
    slow_ms: int | None
    """Of 95 in 100 calls no one took longer. Both of the latest calls, null without any."""

    def total(self, effect: str) -> int:
        return sum(self.per_bucket[effect])


class Calls:
    def __init__(self, store: CallStore, events: EventStore) -> None:
        self._store = store
        self._events = events

    def list(self, wanted: CallsWanted, before: int, limit: int) -> CallRows:
        """Newest first. ``before``: ``older`` of the page before; 0 for the first. Raises
        ``Refused`` for a wish that cannot be one, and ``StoreDown``."""
        check(wanted)
        page = self._store.page(wanted, before, limit)
        return CallRows(tuple(map(_row, page.calls)), page.older)

    def story(self, call: str, *, contents: bool) -> CallStory | None:
        """``contents``: with arguments, answers and the rest that is personal."""
        found = read_story(self._events, call) if _plain(call) else None
        return _told(found, contents) if found else None

    def overview(self, now: int) -> Overview:
        since = now // STEP_MS * STEP_MS - (BUCKETS - 1) * STEP_MS
        tally = self._store.tally(since, STEP_MS)
        found = {(bucket, effect): count for bucket, effect, count in tally.counts}
        per = {e: tuple(found.get((n, e), 0) for n in range(BUCKETS)) for e in EFFECTS}
        return Overview(tally, per, _at(tally.lasted, 50), _at(tally.lasted, 95))


def check(wanted: CallsWanted) -> None:
    """Raises ``Refused``."""
    for name, value in msgspec.structs.asdict(wanted).items():
        if not _plain(value):
            raise Refused(f"{name} is a short text.", "Leave it empty for any.")
    if wanted.effect not in ("", *EFFECTS):
        raise Refused("A decision is permit, hold or deny.", "Leave it empty for any.")


def _plain(text: str) -> bool:
    return len(text) <= _LONGEST and "\0" not in text and text.isprintable()


def _at(sorted_ms: tuple[int, ...], percent: int) -> int | None:
    """Nearest rank."""
    return sorted_ms[-(-len(sorted_ms) * percent // 100) - 1] if sorted_ms else None


def _row(one: ListedCall) -> CallRow:
    principal, agent = _who(one.actor)
    lasted = one.ended - one.at if one.ended else None
    return CallRow(one.call, one.at, principal, agent, one.method, one.upstream, one.target,
                   one.effect, one.reason, lasted)  # fmt: skip


def _who(actor: bytes) -> tuple[str, str]:
    try:
        said = orjson.loads(actor or b"{}")
    except orjson.JSONDecodeError:
        return "", ""
    if not isinstance(said, dict):
        return "", ""
    return str(said.get("subject") or said.get("account") or ""), str(said.get("agent") or "")


def _told(story: Story, contents: bool) -> CallStory:
    last = story.outcome or story.intent or story.rows[-1].event
    principal, agent = _who(story.slots.get("actor", b""))
    about = {name: str(story.about.get(name, "")) for name in ("method", "upstream", "target")}
    events = tuple(_event(row, contents) for row in story.rows)
    return CallStory(
        story.call, story.state, principal, agent, about["method"], about["upstream"],
        about["target"], last.effect, last.reason, story.began, story.lasted_ms, events,
    )  # fmt: skip


def _event(row: Recorded, contents: bool) -> StoryEvent:
    one, said = row.event, orjson.loads(export(row, SLOTS if contents else FOR_READERS))
    return StoryEvent(one.id, one.kind, one.at, one.effect, one.reason, said["header"],
                      said["slots"], tuple(said["withheld"]))  # fmt: skip
