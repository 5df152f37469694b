"""What a client gets while a person is asked, by what it declares."""

import asyncio
import itertools
from typing import Any

import orjson
import pytest

from lockgate.app.pending import (
    HOLD_SECONDS,
    MOST,
    MOST_EACH,
    MOST_TURNS,
    PROGRESS_SECONDS,
    WAYS,
)
from lockgate.model.inquiry import Kept
from lockgate.wire.held import POLL_MS
from support.asking import DONE, YES, Legacy, again, keys, legacy_client, modern_client, reasons
from support.client import MODERN
from support.gateway import ROOT
from support.holding import (
    ASK,
    CONSOLE,
    PAGES,
    PATIENT,
    TASKS,
    Json,
    execute,
    held,
    held_stage,
    pending,
    question,
    said,
    steps,
    until,
    wake,
)
from support.scenario import NOW_MS, Stage
from support.staged import BOB, Said, Speaker

PAGE = f"{CONSOLE}/console/approvals/q-1"
ACCEPT = {ASK: {"action": "accept"}}


def handle(found: Said) -> Json:
    return dict(found.result["_meta"][ASK])


def waits(found: Said) -> bool:
    return bool(found.result.get("isError")) and handle(found)["state"] == "pending"


# The order.


def table(head: str) -> list[list[str]]:
    """Rows of one table of ``docs/approvals.md``."""
    lines = (ROOT / "docs" / "approvals.md").read_text().splitlines()
    rows = lines[lines.index(head) + 2 :]
    found = itertools.takewhile(lambda line: line.startswith("|"), rows)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found]


CLIENTS = table("| client | declares | gets |")


def test_the_document_names_every_way() -> None:
    assert [name for name, _, _ in WAYS] == ["task", "rounds", "stream", "plain"]
    assert {way for _, _, way in CLIENTS} == {name for name, _, _ in WAYS}


@pytest.mark.parametrize(("version", "declares", "way"), CLIENTS)
async def test_a_client_is_told_as_the_document_says(version: str, declares: str, way: str) -> None:
    stage = held_stage()
    pending(stage).hold_seconds = 0.01
    speaker = Speaker(stage, capabilities=orjson.loads(declares.strip("`")))
    if version == MODERN:
        await speaker.modern("tools/call", PATIENT)
    else:
        await speaker.open(version)
        await speaker.legacy("tools/call", PATIENT)
    assert await steps(stage) == ["requested", f"told:{way}"]


def test_the_bounds_are_those_of_the_document() -> None:
    told = [int("".join(filter(str.isdigit, value))) for _, value in table("| bound | value |")]
    assert told == [HOLD_SECONDS, MOST_TURNS, MOST_EACH, MOST, PROGRESS_SECONDS, POLL_MS]
    assert HOLD_SECONDS * 2 < 60, "beside all else that a request takes"


async def test_without_a_console_there_is_no_page_to_open() -> None:
    stage = held_stage(console="")
    found = await modern_client(stage, PAGES).modern("tools/call", PATIENT)
    assert waits(found)
    assert "page" not in handle(found)


async def test_what_runs_when_its_client_comes_again_is_no_task() -> None:
    stage = held_stage(on_retry=True)
    found = await modern_client(stage, TASKS | PAGES).modern("tools/call", PATIENT)
    assert keys(found) == [ASK]


async def test_other_methods_are_told_in_their_own_words() -> None:
    policy = 'permit(principal, action, resource); @hold("owner") ' \
        'forbid(principal, action == Action::"prompts/get", resource) ' \
        'unless { context.approvals.contains("owner") };'  # fmt: skip
    stage = held_stage(policy=policy)
    found = await modern_client(stage).modern("prompts/get", {"name": "greet"})
    assert found.reason == "approval.needed"
    assert found.error["data"]["approval"]["handle"] == "q-1"
    assert "lockgate_result with the handle q-1" in found.error["data"]["detail"]


# Plain: at once.


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_who_can_nothing_gets_a_handle_at_once(era: str) -> None:
    stage = held_stage()
    alice = await legacy_client(stage, {}) if era == "legacy" else modern_client(stage, {})
    found = await (alice.legacy if era == "legacy" else alice.modern)("tools/call", PATIENT)
    assert found.reason == "approval.needed"
    assert handle(found) == {
        "handle": "q-1", "state": "pending", "expires_at": "1970-01-01T00:31:40Z", "page": PAGE,
    }  # fmt: skip
    text = found.result["content"][0]["text"]
    assert text == (
        "This needs approval by a person and waits for it until 1970-01-01T00:31:40Z "
        f"(they answer at {PAGE}): tell the user, then call lockgate_result with the handle q-1 "
        f"or call again with identical arguments. [approval.needed · {alice.last}]"
    )


async def test_calling_again_gets_what_came_of_it() -> None:
    stage = held_stage()
    alice = modern_client(stage, {})
    assert waits(await alice.modern("tools/call", PATIENT))
    said(stage)
    await execute(stage)
    found = await alice.modern("tools/call", PATIENT, id=2)
    assert found.result["content"] == DONE["content"]
    assert len(stage.simulated.calls) == 1


async def test_a_no_is_told_and_does_not_wait() -> None:
    stage = held_stage()
    alice = modern_client(stage, PAGES | TASKS)
    await alice.modern("tools/call", PATIENT)
    said(stage, "no")
    found = await alice.modern("tools/call", PATIENT, id=2)
    assert found.reason == "approval.denied"
    assert handle(found)["state"] == "denied"
    assert (await steps(stage))[-1] == "told:task", "once: the second is the answer"


# Rounds: a modern client that opens pages.


async def asked(stage: Stage, can: Json = PAGES) -> tuple[Speaker, Said]:
    alice = modern_client(stage, can)
    found = await alice.modern("tools/call", PATIENT)
    assert keys(found) == [ASK]
    return alice, found


async def test_it_shows_a_page_that_says_nothing_of_the_call() -> None:
    _, found = await asked(held_stage())
    put = found.result["inputRequests"][ASK]
    assert put["method"] == "elicitation/create"
    assert (put["params"]["mode"], put["params"]["url"]) == ("url", PAGE)
    assert set(put["params"]) == {"mode", "url", "message"}
    assert "p-1" not in str(put)
    assert "alice" not in str(put)


async def test_it_comes_again_and_gets_the_result() -> None:
    stage = held_stage()
    alice, found = await asked(stage)
    coming = asyncio.ensure_future(alice.modern("tools/call", again(found, ACCEPT), id=2))
    await held(stage)
    said(stage)
    await held(stage)
    assert not coming.done(), "approved, but somebody else carries it out"
    await execute(stage)
    done = await coming
    assert done.result["content"] == DONE["content"]
    assert len(stage.simulated.calls) == 1
    assert (pending(stage).held, pending(stage).vigil.waiting) == (0, 0)
    assert await steps(stage) == ["requested", "told:rounds", "told:rounds", "succeeded"]
    ended = (await reasons(stage, "call.outcome"))[1:]
    assert ended == ["inspection.clean", "inspection.clean"], "of the run, and of what is let out"


async def test_on_retry_it_runs_with_its_client_there() -> None:
    stage = held_stage(on_retry=True)
    server = Legacy(stage)
    alice, found = await asked(stage, {"elicitation": {"url": {}, "form": {}}})
    coming = asyncio.ensure_future(alice.modern("tools/call", again(found, ACCEPT), id=2))
    await held(stage)
    said(stage)
    theirs = await coming
    assert keys(theirs) == ["q1"], "the upstream's own question"
    done = await alice.modern("tools/call", again(theirs, {"q1": YES}), id=3)
    assert done.result["content"] == DONE["content"]
    assert server.told == ["accept"]
    assert question(stage).state == "succeeded"


async def test_two_that_wait_for_the_same_both_get_it() -> None:
    stage = held_stage(on_retry=True)
    alice, found = await asked(stage)
    both = [
        asyncio.ensure_future(alice.modern("tools/call", again(found, ACCEPT), id=n))
        for n in (2, 3)
    ]
    await held(stage, 2)
    said(stage)
    await until(lambda: question(stage).state == "succeeded")
    wake(stage)
    for done in await asyncio.gather(*both):
        assert done.result["content"] == DONE["content"]
    assert len(stage.simulated.calls) == 1


@pytest.mark.parametrize(("answer", "reason"), [("no", "denied"), ("veto", "vetoed")])
async def test_a_no_ends_the_waiting(answer: Any, reason: str) -> None:
    stage = held_stage()
    alice, found = await asked(stage)
    coming = asyncio.ensure_future(alice.modern("tools/call", again(found, ACCEPT), id=2))
    await held(stage)
    said(stage, answer)
    assert (await coming).reason == f"approval.{reason}"
    assert stage.simulated.calls == []


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_who_declines_takes_the_question_back(action: str) -> None:
    stage = held_stage()
    alice, found = await asked(stage)
    no = {ASK: {"action": action}}
    ended = await alice.modern("tools/call", again(found, no), id=2)
    assert ended.reason == "approval.cancelled"
    assert question(stage).state == "cancelled"
    assert await steps(stage) == ["requested", "told:rounds", "cancelled"]


async def test_who_declines_what_was_approved_meanwhile_stops_it() -> None:
    stage = held_stage(on_retry=True)
    alice, found = await asked(stage)
    said(stage)
    ended = await alice.modern("tools/call", again(found, {ASK: {"action": "decline"}}), id=2)
    assert ended.reason == "approval.cancelled"
    assert stage.simulated.calls == []


async def test_nobody_waits_longer_than_the_bound_or_more_often() -> None:
    stage = held_stage()
    pending(stage).hold_seconds = 0.01
    alice, found = await asked(stage)
    responses: Json | None = ACCEPT
    for turn in range(1, MOST_TURNS):
        found = await alice.modern("tools/call", again(found, responses), id=turn)
        assert found.result["resultType"] == "input_required"
        assert "inputRequests" not in found.result, "its person is asked once"
        responses = None
    last = await alice.modern("tools/call", again(found), id=9)
    assert waits(last)
    assert await steps(stage) == ["requested"] + ["told:rounds"] * (1 + MOST_TURNS)


async def test_a_client_that_hears_progress_gets_it_while_it_waits() -> None:
    stage = held_stage()
    pending(stage).progress_seconds = 0.001
    alice, found = await asked(stage)
    token = {"_meta": {"progressToken": "p-7"}}
    coming = asyncio.ensure_future(alice.modern("tools/call", again(found, ACCEPT, **token), id=2))
    await until(lambda: len(alice.heard) > 2)
    said(stage, "no")
    await coming
    told = [one["params"] for one in alice.heard]
    assert {one["progressToken"] for one in told} == {"p-7"}
    steps = [one["progress"] for one in told]
    assert steps == sorted(set(steps))


async def test_a_question_that_was_changed_meanwhile_is_shown_anew() -> None:
    stage = held_stage()
    alice, found = await asked(stage)
    stage.simulated.tools[0]["description"] = "does something else now"
    await alice.modern("tools/list")
    other = await alice.modern("tools/call", again(found, ACCEPT), id=2)
    assert other.result["inputRequests"][ASK]["params"]["url"].endswith("/q-2")


# The stream: a legacy client that opens pages.


async def on_stream(stage: Stage, can: Json = PAGES) -> tuple[Speaker, Any, Json]:
    alice = await legacy_client(stage, can)
    calling = asyncio.ensure_future(alice.legacy("tools/call", PATIENT, id=5))
    return alice, calling, await alice.question()


async def test_a_legacy_client_is_asked_on_the_stream_and_kept_waiting() -> None:
    stage = held_stage()
    alice, calling, put = await on_stream(stage)
    assert put["method"] == "elicitation/create"
    assert (put["params"]["url"], put["params"]["elicitationId"]) == (PAGE, "q-1")
    await alice.answer(put["id"], {"action": "accept"})
    await held(stage)
    said(stage)
    await execute(stage)
    done = await calling
    assert done.result["content"] == DONE["content"]
    told = [one for one in alice.heard if one["method"] == "notifications/elicitation/complete"]
    assert [one["params"] for one in told] == [{"elicitationId": "q-1"}]


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_legacy_client_that_declines_takes_it_back(action: str) -> None:
    stage = held_stage()
    alice, calling, put = await on_stream(stage)
    await alice.answer(put["id"], {"action": action})
    assert (await calling).reason == "approval.cancelled"
    assert question(stage).state == "cancelled"


async def test_a_legacy_client_that_says_nothing_is_answered_in_time() -> None:
    stage = held_stage()
    pending(stage).hold_seconds = 0.01
    alice, calling, put = await on_stream(stage)
    assert waits(await calling)
    assert alice.heard[-1]["params"] == {"requestId": put["id"]}, "taken back"
    assert question(stage).state == "pending"


async def test_a_legacy_client_that_cannot_after_all_is_told_plainly() -> None:
    stage = held_stage()
    alice, calling, put = await on_stream(stage)
    body = {"jsonrpc": "2.0", "id": put["id"], "error": {"code": -32601, "message": "no"}}
    await alice.post(orjson.dumps(body), {"mcp-session-id": alice.session})
    assert waits(await calling)


async def test_what_runs_already_needs_no_page() -> None:
    stage = held_stage()
    alice = await legacy_client(stage, PAGES)
    bare = modern_client(stage, {})
    await bare.modern("tools/call", PATIENT)
    said(stage)
    assert stage.inquiries.claim(["q-1"], "elsewhere", NOW_MS)
    calling = asyncio.ensure_future(alice.legacy("tools/call", PATIENT, id=5))
    await held(stage)
    assert alice.heard == []
    desk = stage.gateway.state.gate.desk
    await desk.finish(["q-1"], "approval.ran", Kept(orjson.dumps(DONE)))
    wake(stage)
    assert (await calling).result["content"] == DONE["content"]
    assert stage.simulated.calls == []


async def test_an_older_legacy_client_is_told_plainly() -> None:
    stage = held_stage()
    alice = Speaker(stage, capabilities=PAGES)
    await alice.open("2025-06-18")
    assert waits(await alice.legacy("tools/call", PATIENT))


# Bounds.


async def test_one_person_keeps_so_many_waiting_and_no_more() -> None:
    stage = held_stage(limits=(6_000, 1_000, 1_000))
    alice, found = await asked(stage)
    comings = [
        asyncio.ensure_future(alice.modern("tools/call", again(found, ACCEPT), id=n))
        for n in range(MOST_EACH)
    ]
    await held(stage, MOST_EACH)
    for number in range(20):
        at_once = await alice.modern("tools/call", again(found, ACCEPT), id=f"x{number}")
        assert waits(at_once)
    bob = modern_client(stage, PAGES, BOB)
    his = await bob.modern("tools/call", PATIENT)
    coming = asyncio.ensure_future(bob.modern("tools/call", again(his, ACCEPT), id=2))
    await held(stage, MOST_EACH + 1)
    pending(stage).vigil.stop()
    for done in await asyncio.gather(*comings, coming):
        assert waits(done)
    assert pending(stage).held == 0


async def test_who_hangs_up_leaves_nothing() -> None:
    stage = held_stage()
    alice, found = await asked(stage)
    coming = asyncio.ensure_future(alice.modern("tools/call", again(found, ACCEPT), id=2))
    await held(stage)
    coming.cancel()
    await asyncio.wait([coming])
    assert (pending(stage).held, pending(stage).vigil.waiting) == (0, 0)
    assert question(stage).state == "pending", "the person is still asked"


async def test_a_gateway_that_stops_answers_at_once() -> None:
    stage = held_stage()
    alice, found = await asked(stage)
    coming = asyncio.ensure_future(alice.modern("tools/call", again(found, ACCEPT), id=2))
    await held(stage)
    stage.gateway.stop()
    assert waits(await coming)
