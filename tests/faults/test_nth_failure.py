"""Fail the first port call, then the second, and so on, until a run completes untouched.

After every run, whatever failed: nothing was forwarded without a recorded intent to permit it,
every forwarded call has an outcome, no reservation is left open, and nothing uninspected came out.
"""

import contextlib

import pytest

from lockgate.model import (
    Call,
    JournalDown,
    Release,
    StoreDown,
)
from lockgate.pipeline.run import SILENT, Refused, run
from support.inquiries import yes_to
from support.world import World, shipped_order
from worlds import call, list_call

HELD = shipped_order(marks={("clinic", "get_patient"): "owner"})
APPROVED = 1
TOOLS = b'{"tools":[{"name":"a","inputSchema":{"type":"object"}}]}'


def worlds(fail_at: int) -> list[tuple[str, World, Call]]:
    plain = World(fail_at=fail_at)
    plain.notices = [("notifications/progress", b'{"progress":1}')]
    approved = World(HELD, fail_at=fail_at)
    asked = call(patient_id="p-1")
    approved.known_approvals = (yes_to(asked, HELD),)
    listing = World(fail_at=fail_at)
    listing.result = TOOLS
    return [
        ("a plain call", plain, call(patient_id="p-1")),
        ("an approved call", approved, asked),
        ("a list", listing, list_call()),
    ]


@pytest.mark.parametrize("kind", range(3), ids=["call", "approved", "list"])
async def test_whatever_fails_the_gate_stays_closed(kind: int) -> None:
    for n in range(1, 50):
        _, world, asked = worlds(n)[kind]
        answer = None
        with contextlib.suppress(JournalDown, StoreDown):
            answer = await run(asked, world.gate(), SILENT)
        check_invariants(world, answer, kind)
        if not world.failed:
            assert isinstance(answer, Release)
            return
    pytest.fail("the run never completed")


def check_invariants(world: World, answer: Release | Refused | None, kind: int) -> None:
    steps = world.steps
    if "send" in steps:
        before = world.log[: steps.index("send")]
        permitted = [v for what, v in before if what == "commit" and v.effect == "permit"]
        assert permitted, "forwarded without a recorded permit"
    intents, outcomes = world.events("call.intent"), world.events("call.outcome")
    permits = [e for e in intents if e.effect == "permit"]
    assert len(outcomes) == len(permits), "an intent without its outcome"
    assert world.running == 0, "a reservation was left open"
    harmless = {"finish"} | ({"approvals"} if kind != APPROVED else set())
    if world.failed and world.failed not in harmless:
        # Only approvals that nothing rests on may be unknown; what ran and was inspected is let
        # out also where it cannot be kept for later.
        assert not isinstance(answer, Release)


async def test_a_failing_journal_means_nothing_is_forwarded() -> None:
    world = World(fail_at=4)  # three facts, then the intent
    with pytest.raises(JournalDown):
        await run(call(), world.gate(), SILENT)
    assert "send" not in world.steps
