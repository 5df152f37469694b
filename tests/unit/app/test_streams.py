import asyncio
from typing import Any

import msgspec
import orjson
import pytest

from lockgate.app.hub import MOST_STREAMS
from lockgate.app.listener import Listener
from lockgate.app.replay import MOST_OF_ONE
from lockgate.audit.reader import read_story
from lockgate.store.quota import QuotaLimits
from lockgate.wire.streams import KEEP_ALIVE
from support.asgi import Visit
from support.client import ACCEPT as STREAM_OR_JSON
from support.house import (
    HEADERS,
    PATIENT,
    PROGRESS,
    House,
    events,
    get,
    ids,
    legacy,
    modern,
    reason,
)  # fmt: skip
from support.processes import until
from support.staged import rows

TOLD = {"jsonrpc": "2.0", "method": "notifications/test", "params": {}}


async def refused(house: House, visit: Visit) -> tuple[int, str]:
    await house.take(visit)
    return visit.status, reason(visit)


def listeners(house: House) -> list[Listener]:
    return house.stage.gateway.hub.everyone()


def tell(house: House) -> None:
    """Something that belongs to no call, to the one stream there is."""
    (listener,) = listeners(house)
    listener.tell("notifications/test")


async def begun(house: House, session: str) -> "tuple[asyncio.Task[Visit], Visit]":
    """A legacy call that has said something, and its visit."""
    task = await house.called(visit := legacy(session, "tools/call", PROGRESS))
    house.progress()
    await visit.until(lambda v: len(events(v)) == 1)
    return task, visit


async def left(task: "asyncio.Task[Visit]", visit: Visit) -> None:
    visit.leave()
    await task


# The stream of a session.


async def test_a_stream_begins_with_a_place_to_come_back_to() -> None:
    house = House()
    task = await house.streamed(visit := get(await house.open()))
    await visit.until(lambda v: b"\n\n" in v.body)
    first, _, rest = visit.body.partition(b"\n\n")
    name, *more = first.split(b"\n")
    assert name.startswith(b"id: ")
    assert (more, rest) == ([b"retry: 1000", b"data: "], b"")
    assert visit.headers["cache-control"] == "no-store"
    assert not visit.over
    await left(task, visit)


async def test_before_polling_nothing_is_sent_that_is_no_message() -> None:
    house = House()
    task = await house.streamed(visit := get(await house.open("2025-06-18")))
    tell(house)
    await visit.until(lambda v: len(events(v)) == 1)
    assert len(ids(visit)) == 1
    assert b"retry" not in visit.body
    await left(task, visit)


async def test_each_message_goes_to_one_stream_and_that_is_the_last_opened() -> None:
    house = House()
    session = await house.open()
    first = await house.streamed(one := get(session))
    second = await house.streamed(two := get(session))
    await first
    assert one.over
    tell(house)
    await two.until(lambda v: events(v) == [TOLD])
    assert events(one) == []
    await left(second, two)


async def test_silence_is_filled_with_comments() -> None:
    house = House()
    house.ingress.streams.keep_alive_seconds = 0.001
    task = await house.streamed(visit := get(await house.open()))
    await visit.until(lambda v: v.body.count(KEEP_ALIVE) >= 2)
    await left(task, visit)


@pytest.mark.parametrize("way", ["deleted", "ended elsewhere", "revoked", "stopping"])
async def test_a_stream_ends_with_what_it_rests_on(way: str) -> None:
    house = House()
    house.ingress.streams.check_seconds = 0.01
    gateway = house.stage.gateway
    session = await house.open()
    task = await house.streamed(visit := get(session))
    if way == "deleted":
        headers = {**HEADERS, "mcp-session-id": session}
        assert (await house.take(Visit("DELETE", "/mcp/clinic", headers))).status == 204
    elif way == "ended elsewhere":
        opened = gateway.resume(visit.exchange.headers, listeners(house)[0].caller)
        assert opened is not None
        await gateway._sessions.end(opened)
    elif way == "revoked":
        del house.people["Bearer alice"]
    else:
        gateway.hub.stop()
    await asyncio.wait_for(task, 5)
    assert visit.over
    if way == "deleted":
        assert await refused(house, get(session)) == (404, "session.unknown")
    if way == "stopping":
        assert await refused(house, get(await house.open())) == (503, "gateway.stopping")


@pytest.mark.parametrize(
    ("session", "headers", "answer"),
    [
        (None, {}, (400, "session.missing")),
        ("nonsense", {}, (404, "session.unknown")),
        ("", {"who": "bob"}, (404, "session.unknown")),
        ("", {"accept": "application/json"}, (406, "wire.not-acceptable")),
        ("", {"mcp_protocol_version": "2025-06-18"}, (400, "wire.header-mismatch")),
        ("", {"mcp_protocol_version": "2026-07-28"}, (405, "wire.bad-http-method")),
        ("", {"last_event_id": "nonsense.1"}, (410, "stream.gone")),
    ],
)
async def test_who_gets_no_stream_is_told_why(
    session: str | None, headers: dict[str, str], answer: tuple[int, str]
) -> None:
    house = House()
    opened = await house.open()
    assert await refused(house, get(opened if session == "" else session, **headers)) == answer


async def test_streams_are_bounded_and_closing_one_makes_room() -> None:
    house = House(messages=QuotaLimits(600, 1_000, 1))
    streams = []
    for _ in range(MOST_STREAMS):
        streams.append((await house.streamed(visit := get(await house.open())), visit))
    assert await refused(house, get(await house.open())) == (429, "stream.too-many")
    for task, visit in streams:
        await left(task, visit)
    for _ in range(3 * MOST_OF_ONE):  # nobody comes back to these
        task = await house.streamed(visit := get(await house.open()))
        await left(task, visit)
    hub = house.stage.gateway.hub
    assert hub.open == hub.replay.kept <= MOST_OF_ONE + 1


async def test_who_comes_again_hears_what_was_missed_once_and_in_order() -> None:
    house = House()
    session = await house.open()
    task = await house.streamed(visit := get(session))
    await left(task, visit)
    tell(house)
    tell(house)
    task = await house.streamed(again := get(session, last_event_id=ids(visit)[-1]))
    tell(house)
    await again.until(lambda v: len(events(v)) == 3)
    numbers = [int(id.rpartition(".")[2]) for id in ids(again)]
    assert numbers == [1, 2, 3]
    assert b"retry" not in again.body, "it has a place to come back to"
    await left(task, again)


async def test_nobody_hears_what_another_missed() -> None:
    house = House()
    session = await house.open()
    task = await house.streamed(visit := get(session))
    await left(task, visit)
    place = ids(visit)[0]
    other = await house.open()
    assert await refused(house, get(other, last_event_id=place)) == (410, "stream.gone")
    bobs = await house.open(who="bob")
    visit = get(bobs, who="bob", last_event_id=place)
    assert await refused(house, visit) == (410, "stream.gone")
    ahead = place.rpartition(".")[0] + ".7"
    assert await refused(house, get(session, last_event_id=ahead)) == (410, "stream.gone")


async def test_a_stream_of_another_worker_is_served_by_it_or_refused() -> None:
    house, other = House(), House()
    other.stage.gateway.hub.replay.node = "w2"
    session = await other.open()
    task = await other.streamed(visit := get(session))
    await left(task, visit)
    place = ids(visit)[0]
    assert await refused(house, get(session, last_event_id=place)) == (503, "stream.elsewhere")
    asked: list[tuple[str, int]] = []

    async def relay(where: Any, after: int) -> Any:
        asked.append((where.node, after))
        return other.stage.gateway.hub.replay.find(where).follow(after)

    house.ingress.streams.relay = relay
    task = await house.streamed(again := get(session, last_event_id=place))
    assert asked == [("w2", 0)]
    other.stage.gateway.hub.stop()
    await task
    assert again.over


# The stream of a call.


async def test_leaving_a_legacy_stream_loses_nothing() -> None:
    house = House()
    session = await house.open()
    task, visit = await begun(house, session)
    await left(task, visit)
    house.progress()
    house.upstream.finish.set()
    assert await house.outcome() == "inspection.clean"
    again = await house.take(get(session, last_event_id=ids(visit)[-1]))
    notice, answer = events(again)
    assert notice["method"] == "notifications/progress"
    assert answer["result"]["content"]
    assert again.over
    assert len(house.stage.simulated.calls) == 1
    numbers = [int(id.rpartition(".")[2]) for id in [*ids(visit), *ids(again)]]
    assert numbers == [0, 1, 2, 3]
    whole = await house.take(get(session, last_event_id=ids(visit)[0]))
    assert len(events(whole)) == 3, "from its very first event on"


async def test_who_comes_again_while_the_call_runs_waits_for_its_answer() -> None:
    house = House()
    session = await house.open()
    task, visit = await begun(house, session)
    again = await house.streamed(second := get(session, last_event_id=ids(visit)[-1]))
    await task
    assert visit.over, "of two connections the later one goes on"
    house.upstream.finish.set()
    await again
    assert [("result" in e) for e in events(second)] == [True]


async def test_a_cancelled_call_ends_its_stream_without_an_answer() -> None:
    house = House()
    session = await house.open()
    task, visit = await begun(house, session)
    body = orjson.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled",
                         "params": {"requestId": 1}})  # fmt: skip
    headers = {**HEADERS, "mcp-session-id": session}
    await house.take(Visit(path="/mcp/clinic", headers=headers, body=body))
    await task
    assert len(events(visit)) == 1
    assert visit.over


async def test_many_streams_of_a_session_at_once_have_ids_of_their_own() -> None:
    house = House()
    house.ingress.streams.keep_alive_seconds = 0.001
    session = await house.open()
    visits = [legacy(session, "tools/call", PROGRESS) for _ in range(3)]
    tasks = []
    for number, visit in enumerate(visits):
        body = orjson.loads(visit._coming.get_nowait()["body"])
        visit.send_body(orjson.dumps({**body, "id": number}))
        tasks.append(await house.streamed(visit))
    house.upstream.finish.set()
    await asyncio.gather(*tasks)
    assert [events(v)[-1]["id"] for v in visits] == [0, 1, 2]
    assert len({ids(v)[0] for v in visits}) == 3


async def test_a_modern_stream_has_no_ids() -> None:
    house = House()
    task = await house.called(visit := modern("tools/call", PROGRESS))
    house.progress()
    await visit.until(lambda v: len(events(v)) == 1)
    house.upstream.finish.set()
    await task
    assert ids(visit) == []


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_no_stream_outlives_its_credential(era: str) -> None:
    house = House()
    house.ingress.streams.check_seconds = 0.01
    if era == "legacy":
        task, visit = await begun(house, await house.open())
    else:
        task = await house.called(visit := modern("tools/call", PROGRESS))
        house.progress()
        await visit.until(lambda v: len(events(v)) == 1)
    del house.people["Bearer alice"]
    await asyncio.wait_for(task, 5)
    assert visit.over
    assert await house.outcome() == "call.revoked"
    assert len(events(visit)) == 1


WAYS = ["legacy", "modern", "modern without streams"]


async def running(house: House, way: str) -> "tuple[asyncio.Task[Visit], Visit]":
    """A call at its upstream that has said nothing yet."""
    house.ingress.streams.check_seconds = 0.01
    if way == "legacy":
        visit = legacy(await house.open(), "tools/call", PATIENT)
    else:
        accept = "application/json" if "without" in way else STREAM_OR_JSON
        visit = modern("tools/call", PATIENT, accept=accept)
    return await house.called(visit), visit


async def test_what_is_done_is_answered_as_its_outcome_says() -> None:
    """Between two looks; nor does a call that is done at once cost a second look at its caller."""
    house = House()
    task = await house.called(visit := modern("tools/call", PATIENT))
    house.looks.clear()
    del house.people["Bearer alice"]
    house.upstream.finish.set()
    await asyncio.wait_for(task, 5)
    assert visit.status == 200
    assert await house.outcome() == "inspection.clean"
    assert not house.looks.is_set()


@pytest.mark.parametrize("way", WAYS)
async def test_a_call_that_has_said_nothing_is_refused_once_its_caller_is(way: str) -> None:
    house = House()
    task, visit = await running(house, way)
    del house.people["Bearer alice"]
    await asyncio.wait_for(task, 5)
    assert (visit.status, reason(visit)) == (401, "auth.invalid")
    assert await house.outcome() == "call.revoked"
    (refusal,) = [r for r in await rows(house.stage) if r.kind == "call.refused"]
    story = read_story(house.stage.events, refusal.call)
    assert story is not None
    assert story.about["target"] == "get_patient"
    assert (refusal.reason, story.state) == ("auth.invalid", "finished"), "it was sent upstream"


@pytest.mark.parametrize("way", WAYS)
async def test_a_call_whose_caller_has_only_changed_gets_its_answer(way: str) -> None:
    house = House()
    task, visit = await running(house, way)
    alice = house.people["Bearer alice"]
    house.people["Bearer alice"] = msgspec.structs.replace(alice, roles=frozenset({"other"}))
    await house.looked_at()
    house.upstream.finish.set()
    await task
    assert (visit.status, await house.outcome()) == (200, "inspection.clean")


async def test_a_watch_ends_with_its_credential_too() -> None:
    house = House()
    house.ingress.streams.check_seconds = 0.01
    task = house.begin(visit := modern("subscriptions/listen", {"notifications": {}}))
    await visit.until(lambda v: v.answers != [])
    del house.people["Bearer alice"]
    await asyncio.wait_for(task, 5)
    assert visit.over
    await asyncio.to_thread(until, lambda: house.stage.gateway.inflight.running == 0)
