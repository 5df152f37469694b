"""A gateway whose tool waits for a person; that person; and who carries out what they approved."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec

from lockgate.app.pending import Pending
from lockgate.approval import engine
from lockgate.approval.desk import Desk
from lockgate.approval.payload import read_stored
from lockgate.approval.rules import ApprovalRules, FactorRule
from lockgate.model import AuditEvent
from lockgate.model.inquiry import Answer, Inquiry, Vote
from lockgate.pipeline.asks import Silent
from lockgate.pipeline.run import run
from support.scenario import NOW_MS, Stage
from support.staged import regate, rows, stage_of

Json = dict[str, Any]
CONSOLE = "https://gate.example.org"
ASK = "lockgate/approval"
TASKS: Json = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
PAGES: Json = {"elicitation": {"url": {}}}
PATIENT: Json = {"name": "get_patient", "arguments": {"patient_id": "p-1"}}


def held_stage(console: str = CONSOLE, *, on_retry: bool = False, **given: Any) -> Stage:
    """``get_patient`` takes an owner's yes. ``on_retry``: it runs when its client comes again."""
    stage = stage_of(hold={"get_patient": "owner"}, **given)
    rules, ids = ApprovalRules({"owner": FactorRule(on_retry=on_retry)}), count(1)
    desk = Desk(stage.inquiries, lambda: rules, stage.journal.note, lambda: NOW_MS,
                lambda: stage.stamp().id, lambda: f"q-{next(ids)}", patience=0.0)  # fmt: skip
    regate(stage, desk=desk)
    state = stage.gateway.state
    stage.gateway.state = msgspec.structs.replace(state, questions=desk, console=console)
    return stage


def pending(stage: Stage) -> Pending:
    return stage.gateway.dialogue.pending


def wake(stage: Stage) -> None:
    """As the worker does when its copy of the questions has changed."""
    stage.approvals.refresh(NOW_MS)
    pending(stage).vigil.tell(stage.approvals.versions())


def question(stage: Stage) -> Inquiry:
    return stage.inquiries.listed()[0].inquiry


def said(stage: Stage, answer: Answer = "yes", who: str = "os:dora") -> Inquiry:
    """A person answers the newest question."""
    asked = stage.inquiries.listed()[0]
    one = asked.inquiry
    given = Vote(one.id, who, answer, one.digest, NOW_MS, ("owner",))
    after = engine.vote(asked, given, own=False, standing={}).inquiry
    assert stage.inquiries.replace(after, given)
    wake(stage)
    return after


async def execute(stage: Stage) -> None:
    """As Lockgate carries out what was approved: the stored call, and nobody there to be asked."""
    payload = stage.inquiries.payload(question(stage).id)
    assert payload is not None
    await run(read_stored(payload).call(), stage.gateway.state.gate, Silent())
    wake(stage)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - nothing says so
            await asyncio.sleep(0)


async def held(stage: Stage, number: int = 1) -> None:
    """Until so many requests are kept waiting."""
    await until(lambda: pending(stage).vigil.waiting == number)


async def steps(stage: Stage) -> list[str]:
    """Of the questions, as the journal has them."""
    return [_step(row) for row in await rows(stage) if row.kind == "approval.changed"]


def _step(row: AuditEvent) -> str:
    action = str(row.header["action"]).removeprefix("approval.")
    return f"{action}:{row.header['way']}" if "way" in row.header else action
