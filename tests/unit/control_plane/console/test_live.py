import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request

from lockgate.control_plane.console.live import ENDED, MOST_OF_PERSON, MOST_STREAMS, RENEWED, Live
from lockgate.control_plane.console.pages import SESSION
from support.asgi import Visit
from support.console_desk import ROLES
from support.live_desk import LiveDesk, live_desk

CHANGED = b"event: changed\ndata: 1\n\n"


@pytest.fixture
async def lively() -> AsyncIterator[LiveDesk]:
    async with live_desk() as desk:
        yield desk


async def test_a_page_is_told_of_each_change_of_what_it_shows(lively: LiveDesk) -> None:
    alice = await lively.signed_in()
    visit = lively.open(alice)
    await visit.until(lambda v: b"retry:" in v.body)
    assert (visit.status, visit.headers["content-type"].split(";")[0]) == (200, "text/event-stream")
    assert visit.headers["cache-control"] == "no-store"
    lively.role()
    await visit.until(lambda v: v.body.count(CHANGED) == 1)
    lively.role()
    await visit.until(lambda v: v.body.count(CHANGED) == 2)
    assert b"id: inquiry:" in visit.body


async def test_who_comes_back_is_told_what_they_missed(lively: LiveDesk) -> None:
    """A browser says the last event's id; it counts, not what the page began with."""
    alice = await lively.signed_in()
    lively.role()
    told = lively.open(alice, **{"last-event-id": "inquiry:0"})
    await told.until(lambda v: CHANGED in v.body)
    known = (await alice.get(ROLES)).text.partition('data-since="')[2].partition('"')[0]
    quiet = lively.open(alice, known)
    lively.role()
    await quiet.until(lambda v: v.body.count(CHANGED) == 1)


async def test_a_stream_ends_with_its_session(lively: LiveDesk) -> None:
    alice = await lively.signed_in()
    visit = lively.open(alice)
    await visit.until(lambda v: b"retry:" in v.body)
    await alice.submit(await alice.get(ROLES), "/console/sign-out")
    lively.role()
    await visit.until(lambda v: v.over)
    assert ENDED in visit.body
    assert CHANGED not in visit.body


async def test_a_stream_ends_when_its_person_holds_other_roles(lively: LiveDesk) -> None:
    """They are due a new session id, and perhaps other rooms."""
    alice = await lively.signed_in()
    visit = lively.open(alice)
    await visit.until(lambda v: b"retry:" in v.body)
    lively.role("alice")
    await visit.until(lambda v: v.over)
    assert RENEWED in visit.body


async def test_a_stream_ends_with_the_gateway(lively: LiveDesk) -> None:
    visit = lively.open(await lively.signed_in())
    await visit.until(lambda v: b"retry:" in v.body)
    lively.news.stop()
    await visit.until(lambda v: v.over)
    assert ENDED not in visit.body, "the browser comes back, to another worker or the next start"


async def test_a_session_has_few_streams_and_what_is_closed_is_free(lively: LiveDesk) -> None:
    alice = await lively.signed_in()
    held = [lively.open(alice) for _ in range(MOST_STREAMS)]
    for visit in held:
        await visit.until(lambda v: b"retry:" in v.body)
    more = lively.open(alice)
    await more.until(lambda v: v.over)
    assert more.status == 429
    other = lively.open(await lively.signed_in("bob"))
    await other.until(lambda v: b"retry:" in v.body)
    held[0].leave()
    await asyncio.wait([lively.tasks[1]])
    again = lively.open(alice)
    await again.until(lambda v: b"retry:" in v.body)


@pytest.mark.parametrize("since", ["", "x", "journal:1", "inquiry:1,none:0"])
async def test_nobody_is_told_of_what_they_may_not_see(lively: LiveDesk, since: str) -> None:
    visit = lively.open(await lively.signed_in(), since)
    await visit.until(lambda v: v.over)
    assert visit.status == 400


async def test_looking_at_a_stream_does_not_keep_a_session_from_being_idle(
    lively: LiveDesk,
) -> None:
    alice = await lively.signed_in()
    visit = lively.open(alice)
    await visit.until(lambda v: b"retry:" in v.body)
    lively.later = 10 * 60_000
    lively.role()
    await visit.until(lambda v: CHANGED in v.body)
    lively.later = 16 * 60_000
    lively.role()
    await visit.until(lambda v: v.over)
    assert ENDED in visit.body
    assert not await lively.is_in(alice)


async def test_who_is_signed_out_or_due_a_new_id_asks_for_the_page_again(lively: LiveDesk) -> None:
    nobody = lively.open(lively.browser())
    alice = await lively.signed_in()
    lively.role("alice")
    other = lively.open(alice)
    for visit, word in ((nobody, ENDED), (other, RENEWED)):
        await visit.until(lambda v: v.over)
        assert (visit.status, visit.body) == (200, word)
    assert await lively.is_in(alice), "looking has not used the old id up"


async def test_a_person_has_so_many_streams_over_all_their_sessions(lively: LiveDesk) -> None:
    held = []
    for _ in range(MOST_OF_PERSON // MOST_STREAMS):
        alice = await lively.signed_in()
        held += [lively.open(alice) for _ in range(MOST_STREAMS)]
    for visit in held:
        await visit.until(lambda v: b"retry:" in v.body)
    more = lively.open(await lively.signed_in())
    await more.until(lambda v: v.over)
    assert more.status == 429


async def test_a_quiet_stream_gives_signs_of_life_and_looks_at_its_session(
    lively: LiveDesk,
) -> None:
    """Here every few milliseconds instead of every 15 seconds; nothing changes meanwhile."""
    alice = await lively.signed_in()
    cookie = "; ".join(f"{k}={v}" for k, v in alice.jar.items())
    visit = Visit("GET", "/console/live", {"cookie": cookie}, b"", b"since=inquiry:0")
    live = Live(lively.backing, keep_alive=0.01)
    response = await live.stream(Request(visit.scope, visit.receive))
    lively.tasks.append(asyncio.ensure_future(response(visit.scope, visit.receive, visit.send)))
    await visit.until(lambda v: v.body.count(b": still here") >= 2)
    known = lively.sessions.recognise(alice.jar[SESSION])
    assert known is not None
    lively.store.end(known.hash)
    await visit.until(lambda v: v.over)
    assert visit.body.endswith(ENDED)
