"""Scenes about people who are asked."""

import asyncio

from lockgate.app.demo.folder import ALICE
from lockgate.app.demo.narration import Telling
from lockgate.app.demo.stage import Said, Stage
from lockgate.control_plane.services.approvals import Shown
from lockgate.control_plane.services.refused import Refused

TOOL = "clinic__update_prescription"
DOSE, WRONG = 75, 750
WAITING = ("approval.needed", "approval.running")
AGAIN_SECONDS, PATIENCE_SECONDS = 0.1, 20.0


async def show_prescription(stage: Stage, told: Telling) -> None:
    before = await stage.now()
    said = await _prescribe(stage, DOSE)
    held = (await stage.since(before)).calls[0].event.call
    told.that(
        f"Alice's agent wants to raise metoprolol of p-001 from 50 to {DOSE} mg. Nothing is "
        "changed: policy lets it ask, and a person must look at it.",
        said.reason == "approval.needed" and not (await stage.since(before)).reached,
    )
    told.agent_reads(said.text)
    seen = await stage.question(held, "oidc:alice")
    _tell_page(told, seen)
    others = [await _is_refused(stage, held, who) for who in ("oidc:bob", "os:root")]
    told.that("Bob cannot confirm it for her, nor can whoever runs the machine.", all(others))
    await stage.answer(held, "oidc:alice")
    told.say("Alice looks at it in her browser, and confirms.")
    done = await _answered(stage)
    changed = done.data or {}
    now, was = changed.get("dose_mg"), changed.get("before_mg")
    told.that(f"It ran once: the dose is {now} mg now, and was {was} mg.",
              done.ok and (now, was) == (DOSE, 50))  # fmt: skip
    again = await _prescribe(stage, DOSE)
    told.that("The agent asks once more, word by word: the same answer comes, and nothing runs.",
              again.ok and again.text == done.text)  # fmt: skip
    other = await _prescribe(stage, WRONG)
    then = await stage.since(before)
    told.that(f"With one digit more, {WRONG} mg, it is another question: held.",
              other.reason == "approval.needed")  # fmt: skip
    told.rows(then.calls)
    told.that("One change reached the clinic.", then.reached == {"update_prescription": 1})


def _tell_page(told: Telling, seen: Shown) -> None:
    """What the page of the question shows."""
    assert seen.call is not None  # noqa: S101 - it was asked just now
    told.show("page", f"{seen.asked.inquiry.holder} through {seen.asked.inquiry.agent} wants to "
              f"run {seen.asked.inquiry.title}")  # fmt: skip
    told.show("", f"with {dict(seen.call.arguments)}")
    told.show("", f"on {seen.call.upstream.name}, which holds "
              f"{', '.join(sorted(seen.call.upstream.data_classes))}")  # fmt: skip


async def _is_refused(stage: Stage, held: str, who: str) -> bool:
    try:
        await stage.answer(held, who)
    except Refused:
        return True
    return False


async def _answered(stage: Stage) -> Said:
    """The gateway makes the call by itself; whoever asks again meanwhile is told to wait."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        said = await _prescribe(stage, DOSE)
        while said.reason in WAITING:
            await asyncio.sleep(AGAIN_SECONDS)
            said = await _prescribe(stage, DOSE)
    return said


async def _prescribe(stage: Stage, dose: int) -> Said:
    asked = {"patient_id": "p-001", "drug": "metoprolol", "dose_mg": dose}
    return await stage.call(ALICE, "modern", TOOL, asked)
