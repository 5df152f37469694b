"""What one worker does with approved questions; races and attacks are in tests/attacks."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lockgate.app.executions import MOST_AT_ONCE, is_due, passes
from lockgate.app.stamps import now_ms
from lockgate.approval.payload import stored
from lockgate.model import Call, Upstream
from lockgate.model.inquiry import LEASE_MS, Inquiry
from support.executing import ALICE, DOSE, SETTINGS, Worker, text, workers
from support.inquiries import AT, approved, inquiry

FEW = SETTINGS.replace("concurrent_calls: 50", "concurrent_calls: 1")


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[Worker]:
    async with workers(tmp_path) as made:
        yield made[0]


async def said_yes_to(worker: Worker, **said: Any) -> str:
    id = await worker.handle(**said)
    worker.approve(id)
    return id


async def test_it_runs_and_the_journal_tells_why(worker: Worker) -> None:
    id = await said_yes_to(worker)
    await worker.carry_out()
    assert text(await worker.look(id)) == "done"
    await worker.plant.journal.flush()
    rows = [row.event for row in worker.rows()]
    asked = next(r for r in rows if r.kind == "call.intent" and r.effect == "hold")
    made = next(r for r in rows if r.kind == "call.intent" and r.header["digest"] ==
                asked.header["digest"] and r.effect == "permit")  # fmt: skip
    assert made.call.startswith(f"{asked.call}.a")
    assert made.header["part_of"] == asked.call
    assert made.header["facts"]["approvals"] == {"known": [id]}
    came = next(r for r in rows if r.kind == "call.outcome" and r.call == made.call)
    assert came.header["approved"] == [id]
    steps = [r.header["action"] for r in rows if r.kind == "approval.changed"]
    assert steps == ["approval.requested", "approval.answered", "approval.succeeded"]


async def test_nothing_is_asked_of_a_client_that_is_not_there(worker: Worker) -> None:
    await said_yes_to(worker)
    sent: list[Call] = []
    behind = worker.state.gate.sender

    class Watching:
        async def send(self, permit: Any, hears: Any) -> Any:
            sent.append(permit.call)
            return await behind.send(permit, hears)

    worker.state = replace(worker.state, gate=replace(worker.state.gate, sender=Watching()))
    await worker.carry_out()
    assert [c.method for c in sent] == ["tools/list", "tools/call"], "listed anew, then called"
    assert sent[1].envelope.asks == b"{}"


async def test_what_fails_at_the_upstream_is_over(worker: Worker) -> None:
    id = await said_yes_to(worker)
    worker.pharmacy.fails = "upstream.crashed"
    await worker.carry_out()
    over = worker.question(id)
    assert (over.state, over.reason) == ("failed", "upstream.crashed")
    await worker.carry_out()
    assert worker.pharmacy.ran == [DOSE]


async def test_limits_of_whoever_asked_count_and_it_waits_for_its_turn(tmp_path: Path) -> None:
    async with workers(tmp_path, settings=FEW) as (worker,):
        first = await said_yes_to(worker)
        second = await said_yes_to(worker, patient="p-2", dose=5)
        worker.pharmacy.goes_on.clear()
        carrying = asyncio.ensure_future(worker.carry_out())
        await asyncio.wait_for(worker.pharmacy.reached.wait(), 20)
        late = await put_off(worker, first, second)
        assert len(worker.pharmacy.ran) == 1
        worker.pharmacy.goes_on.set()
        await carrying
        ready(worker, late)
        await worker.carry_out()
        assert worker.question(first).state == worker.question(second).state == "succeeded"
        assert len(worker.pharmacy.ran) == 2


async def test_no_more_than_so_many_at_once(worker: Worker) -> None:
    for number in range(3):
        await said_yes_to(worker, patient=f"p-{number}", dose=1)
    worker.refresh()
    busy = worker.executions
    busy._running = {str(number) for number in range(MOST_AT_ONCE - 1)}
    await busy.look()
    await worker.inflight.drain(20)
    assert len(worker.pharmacy.ran) == 1


async def test_nothing_begins_in_a_gateway_that_stops(worker: Worker) -> None:
    id = await said_yes_to(worker)
    worker.refresh()
    await worker.inflight.drain(0)
    await worker.executions.look()
    assert worker.inflight.running == 0
    assert worker.question(id).state == "approved"


async def test_a_stop_waits_for_what_runs_and_ends_what_takes_too_long(worker: Worker) -> None:
    id = await said_yes_to(worker)
    worker.pharmacy.goes_on.clear()
    worker.refresh()
    await worker.executions.look()
    await asyncio.wait_for(worker.pharmacy.reached.wait(), 20)
    assert worker.plant.leases.working == {id}
    await worker.inflight.drain(0)
    over = worker.question(id)
    assert (over.state, over.reason) == ("failed", "approval.interrupted")
    assert not worker.plant.leases.working


async def test_what_means_something_to_its_client_alone_is_left_to_it(worker: Worker) -> None:
    ask = Call("c", ALICE, "elicitation/create", Upstream("clinic"), "")
    now = now_ms()
    one = inquiry(created=now, expires=now + 60_000, kept_until=now + 60_000, holder=ALICE.id)
    worker.plant.inquiries.add(one, stored(ask))
    worker.approve("q1")
    await worker.carry_out()
    left = worker.question("q1")
    assert (left.state, left.on_retry) == ("approved", True)
    assert not worker.pharmacy.ran


async def put_off(worker: Worker, *ids: str) -> str:
    """The one that has to wait for its turn."""
    async with asyncio.timeout(20):
        while True:
            await asyncio.to_thread(worker.refresh)
            for id in ids:
                one = worker.question(id)
                if one.state == "approved" and 0 < one.lease < now_ms() + 5_000:
                    return id


def ready(worker: Worker, id: str) -> None:
    one = worker.question(id)
    assert worker.plant.inquiries.replace(replace(one, lease=0, version=one.version + 1))


@pytest.mark.parametrize(
    ("one", "due"),
    [
        (approved(), True),
        (approved(lease=AT), True),
        (approved(lease=AT + LEASE_MS), False),
        (approved(on_retry=True), False),
        (approved(kind="role"), False),
        (approved(state="pending"), False),
        (approved(state="used"), False),
        (approved(expires=AT), False),
    ],
)
def test_whose_it_is(one: Inquiry, due: bool) -> None:
    assert is_due(one, AT) is due


def test_what_passes_is_tried_again() -> None:
    for why in ("quota.concurrency", "upstream.connect", "auth.unknown", "resolve.no-catalogue"):
        assert passes(why)
    for why in ("policy.denied", "approval.superseded", "call.revoked", "resolve.unknown-tool"):
        assert not passes(why)
