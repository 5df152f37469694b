"""Scenes about traffic: progress, too much of it, another way in, and the journal of all of it."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Sequence

from mcp import Client, StdioServerParameters

from lockgate.app.demo.folder import ALICE, BURST, CALLS_PER_MINUTE, REPORTS
from lockgate.app.demo.narration import Telling, listed
from lockgate.app.demo.stage import CALL_SECONDS, ERAS, Said, Stage, client_info, effect_of, said_by
from lockgate.app.office import this_program
from lockgate.model import Effect, Recorded

TOO_MANY = 150
AT_ONCE = 8
LISTED = 20
"""Calls that listing the tools of every upstream may count as."""
WARD_ROWS = 9
SETTLE_SECONDS = 5.0


async def show_rate_limit(stage: Stage, told: Telling) -> None:
    await stage.client(REPORTS, "modern").list_tools()  # else each call would first list
    before, began = await stage.now(), time.monotonic()
    other = stage.call(ALICE, "modern", "clinic__get_patient", {"patient_id": "p-002"})
    said, alice = await asyncio.gather(_hurry(stage), other)
    took = time.monotonic() - began
    then = await stage.since(before)
    done = sum(s.ok for s in said)
    over = [s for s in said if s.reason == "quota.exceeded"]
    told.that(
        f"The service nightly-report makes {TOO_MANY} calls in {took:.1f} s. {done} are answered, "
        f"{len(over)} refused: its limit is {BURST} at once and {CALLS_PER_MINUTE} a minute.",
        done + len(over) == TOO_MANY and bool(over) and _within(done, took),
    )
    told.agent_reads(over[0].text)
    wait = over[0].data.get("lockgate/retry_after_ms", 0)
    told.that(f"It is told when to come back: in {wait} ms.", wait > 0)
    told.that(
        "None of the refused calls reached the clinic.", then.reached["billing_totals"] == done
    )
    told.that("Alice, meanwhile, is answered: limits are for each.", alice.ok)


async def _hurry(stage: Stage) -> list[Said]:
    places = asyncio.Semaphore(AT_ONCE)
    month = {"month": "2026-09"}

    async def ask() -> Said:
        async with places:
            return await stage.call(REPORTS, "modern", "clinic__billing_totals", month)

    return await asyncio.gather(*(ask() for _ in range(TOO_MANY)))


def _within(done: int, seconds: float) -> bool:
    """No more than the limit lets through, and no fewer, but for what listing has used of it."""
    most = BURST + 1 + seconds * CALLS_PER_MINUTE / 60
    return most - LISTED <= done <= most


class Hearing:
    """What a client hears of a call's progress."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.full = asyncio.Event()

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG002
        self.steps.append(progress)
        if progress == total:
            self.full.set()


async def show_progress(stage: Stage, told: Telling) -> None:
    for era in ERAS:
        client, hearing = stage.client(ALICE, era), Hearing()
        await client.list_tools()  # the newer era mirrors an argument in a header: see the schema
        ward = {"ward": "cardiology"}
        said = await said_by(
            client.call_tool("clinic__export_ward", ward, progress_callback=hearing)
        )
        async with asyncio.timeout(SETTLE_SECONDS):
            await hearing.full.wait()
        told.that(
            f"{client.protocol_version}: Alice exports a ward; her client hears of "
            f"{len(hearing.steps)} rows while the call runs, then has the answer.",
            said.ok and sorted(hearing.steps) == [float(n) for n in range(1, WARD_ROWS + 1)],
        )


async def show_stdio(stage: Stage, told: Telling) -> None:
    program, *first = this_program()
    arguments = [
        *first,
        "stdio",
        "--url",
        stage.url,
        "--key-file",
        str(stage.folder.key_file(ALICE)),
    ]
    path = os.environ.get("PYTHONPATH")
    start = StdioServerParameters(command=program, args=arguments,
                                  env={"PYTHONPATH": path} if path else None)  # fmt: skip
    before = await stage.now()
    began = time.monotonic()
    async with Client(start, mode="legacy", client_info=client_info(ALICE),
                      read_timeout_seconds=CALL_SECONDS) as client:  # fmt: skip
        took = time.monotonic() - began
        tools = {tool.name for tool in (await client.list_tools()).tools}
        over_http = {t.name for t in (await stage.client(ALICE, "modern").list_tools()).tools}
        notes = await said_by(client.call_tool("clinic__read_notes", {"patient_id": "p-001"}))
        refused = await said_by(client.call_tool("clinic__get_billing", {"patient_id": "p-001"}))
    then = await stage.since(before)
    told.that(
        f"Claude Desktop only speaks stdio. It starts `lockgate stdio` under Alice's key "
        f"({took * 1000:.0f} ms to the first answer) and sees the same {len(tools)} tools.",
        tools == over_http,
    )
    told.that("It may do what she may, and no more: read_notes is answered, get_billing refused.",
              notes.ok and refused.reason == "policy.no-rule")  # fmt: skip
    told.rows(then.calls)
    told.that("Only read_notes reached the clinic.", then.reached == {"read_notes": 1})


async def show_journal(stage: Stage, told: Telling) -> None:
    rows = [r for r in await _everything(stage) if r.event.kind.startswith("call.")]
    intents = [r for r in rows if r.event.kind == "call.intent"]
    ends = {r.event.call: r.seq for r in rows if r.event.kind == "call.outcome"}
    by_effect = Counter(map(effect_of, intents))
    let = {r.event.call: r.seq for r in intents if effect_of(r) is Effect.PERMIT}
    held = {r.event.call for r in intents if effect_of(r) is Effect.HOLD}
    told.that(
        f"{len(intents)} requests were judged: {by_effect[Effect.PERMIT]} permitted, "
        f"{by_effect[Effect.DENY]} denied, {by_effect[Effect.HOLD]} held. "
        "Every permitted one has its outcome, after its intent. No other has any, but one that was "
        "held and got the answer that was kept for it.",
        let.keys() <= ends.keys()
        and ends.keys() - let.keys() <= held
        and all(let[call] < ends[call] for call in let),
    )
    told.that("Every one names who asked and under which key.", all(map(_is_attributed, intents)))
    permitted = Counter(
        str(r.event.header["target"]) for r in intents if effect_of(r) is Effect.PERMIT
        and (r.event.header["method"], r.event.header["upstream"]) == ("tools/call", "clinic")
    )  # fmt: skip
    reached = (await stage.now()).reached
    counts = listed((f"{tool} {count}" for tool, count in reached.items()), most=10)
    told.that(
        f"The clinic's own log has {reached.total()} tool calls ({counts}): exactly those the "
        "journal permitted, tool by tool.",
        permitted == reached and reached.total() > 0,
    )


async def _everything(stage: Stage) -> Sequence[Recorded]:
    """The whole journal, page by page."""
    rows: list[Recorded] = []
    while page := await stage.journal(rows[-1].seq if rows else 0):
        rows += page
    return rows


def _is_attributed(row: Recorded) -> bool:
    actor = row.event.slots.get("actor", b"")
    return b'"subject":"' in actor and (b'"credential":"' in actor or b'"system"' in actor)
