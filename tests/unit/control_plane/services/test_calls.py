from typing import Any

import pytest

from lockgate.control_plane.services.calls import BUCKETS, STEP_MS, Calls, check
from lockgate.control_plane.services.refused import Refused
from lockgate.model import AuditEvent
from lockgate.model.listed_call import CallsPage, CallsWanted, ListedCall, Tally
from lockgate.store.memory_events import MemoryEvents

NOW = 1_800_000_123_456


class Store:
    def __init__(self, *calls: ListedCall, lasted: tuple[int, ...] = ()) -> None:
        self.calls, self.lasted = calls, lasted
        self.since = 0

    def page(self, wanted: CallsWanted, before: int, limit: int) -> CallsPage:
        return CallsPage(self.calls[:limit], 7)

    def tally(self, since: int, step: int) -> Tally:
        self.since = since
        return Tally(since, step, ((0, "permit", 2), (71, "deny", 3)), (), self.lasted, True)


def listed(actor: bytes, ended: int = 150) -> ListedCall:
    return ListedCall(3, "c1", 100, "tools/call", "git", "push", "permit", "p", ended, actor)


@pytest.mark.parametrize(
    ("actor", "who"),
    [(b'{"subject":"alice","agent":"x"}', ("alice", "x")), (b"", ("", "")), (b"{", ("", "")),
     (b"[]", ("", "")), (b'{"account":"opal"}', ("opal", ""))],
)  # fmt: skip
def test_who_called_is_told_as_far_as_it_is_known(actor: bytes, who: tuple[str, str]) -> None:
    found = Calls(Store(listed(actor)), MemoryEvents()).list(CallsWanted(), 0, 5)
    assert (found.items[0].principal, found.items[0].agent) == who
    assert (found.items[0].lasted_ms, found.older) == (50, 7)


def test_a_call_without_outcome_took_no_time() -> None:
    found = Calls(Store(listed(b"", 0)), MemoryEvents()).list(CallsWanted(), 0, 5)
    assert found.items[0].lasted_ms is None


def test_six_hours_end_with_the_bucket_of_now() -> None:
    store = Store(lasted=(1, 2, 3, 4, 100))
    found = Calls(store, MemoryEvents()).overview(NOW)
    assert store.since % STEP_MS == 0
    assert store.since + BUCKETS * STEP_MS > NOW >= store.since + (BUCKETS - 1) * STEP_MS
    assert (found.total("permit"), found.total("hold"), found.total("deny")) == (2, 0, 3)
    assert found.per_bucket["deny"][71] == 3
    assert (found.median_ms, found.slow_ms) == (3, 100)
    nothing = Calls(Store(), MemoryEvents()).overview(NOW)
    assert (nothing.median_ms, nothing.slow_ms) == (None, None)


def test_a_story_keeps_contents_from_whom_they_are_not_for() -> None:
    events = MemoryEvents()
    slots: Any = {"actor": b'{"subject":"alice"}', "args": b'{"a":"SECRET"}'}
    events.append([AuditEvent("e1", "c1", "call.intent", 5, "hold", "approval.needed",
                              {"method": "tools/call", "upstream": "git"}, slots)])  # fmt: skip
    service = Calls(Store(), events)
    story = service.story("c1", contents=False)
    assert story is not None
    assert (story.state, story.principal, story.upstream) == ("held", "alice", "git")
    assert (set(story.events[0].slots), story.events[0].withheld) == ({"actor"}, ("args",))
    full = service.story("c1", contents=True)
    assert full is not None
    assert full.events[0].slots["args"] == {"a": "SECRET"}
    assert service.story("none", contents=True) is None
    assert service.story("\0", contents=True) is None


def test_wishes_are_short_and_plain() -> None:
    check(CallsWanted("alice", "git", "push", "deny", "policy.denied"))
    for wanted in (CallsWanted(effect="x"), CallsWanted(tool="a\n"), CallsWanted("x" * 257)):
        with pytest.raises(Refused):
            check(wanted)
