"""Accounts of people who have left: who deletes them, when, and what becomes of half a deletion."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from lockgate.app.departures import AGAIN_MS, Departures
from lockgate.app.provisioning import people_of
from lockgate.app.settings import Settings
from lockgate.app.stores import Stores, open_stores
from lockgate.app.wiring import Plant
from lockgate.control_plane.services.acting import Actor
from lockgate.model import Account, AuditEvent, StoreDown, Upstream
from lockgate.store.events import StoredEvents
from lockgate.upstream.accounts import Kept, renewed
from lockgate.upstream.fetch import Reach
from lockgate.upstream.oauth_token import OAuthClient, Token
from lockgate.upstream.target import Registered, StdioTarget
from support.oauth_upstream import ALICE, BOB
from support.paper_server import Paper, PaperServer

ROBOT = "service:alice"


@pytest.fixture
async def paper() -> AsyncIterator[PaperServer]:
    async with PaperServer() as server:
        server.issue(revocation_endpoint=f"{server.url}/revoke")
        server.pages["/revoke"] = Paper()
        yield server


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    opened = open_stores(tmp_path / "data")
    yield opened
    opened.engine.dispose()


def worker(stores: Stores, paper: PaperServer) -> Plant:
    plant = Plant(stores, Settings())
    plant.upstream_identity.reach = Reach(internal=frozenset({paper.url}))
    return plant


@pytest.fixture
async def plant(stores: Stores, paper: PaperServer) -> Plant:
    made = worker(stores, paper)
    for who in (ALICE, BOB, ROBOT):
        await connect(made, paper, who)
    return made


async def connect(plant: Plant, paper: PaperServer, who: str, upstream: str = "notes") -> None:
    kept = Kept(Token("access", 2**40, f"refresh-of-{who}"), OAuthClient("lockgate"), "r")
    await plant.accounts.put(renewed(Account(who, upstream, paper.url, "place"), kept))


def say(plant: Plant, name: str, active: bool = False) -> None:
    people_of(plant, Actor("opal", "cli")).set_active(name, active)
    plant.directory.refresh(1)


def owners(plant: Plant) -> list[str]:
    return [one.principal for one in plant.accounts.list()]


def recorded(plant: Plant) -> list[AuditEvent]:
    found = [row.event for row in plant.stores.events.tail(99)]
    return [one for one in found if one.header.get("action") == "account.disconnect"]


def asked(paper: PaperServer) -> list[str]:
    return [one.form["token"] for one in paper.asked_for("/revoke")]


async def test_what_a_leaver_had_connected_is_ended_recorded_and_deleted(
    plant: Plant, paper: PaperServer
) -> None:
    await connect(plant, paper, ALICE, "wiki")
    say(plant, "Alice")  # a no holds in whatever case
    await Departures(plant).look()
    assert owners(plant) == [BOB, ROBOT], "a service's is not its owner's"
    assert asked(paper) == [f"refresh-of-{ALICE}"] * 2
    events = recorded(plant)
    assert {e.header["target"] for e in events} == {"notes", "wiki"}
    for event in events:
        assert (event.kind, event.header["revoked"]) == ("admin.changed", "done")
        assert json.loads(event.slots["subject"]) == {"subject": ALICE}
        assert json.loads(event.slots["actor"]) == {"identity": "lockgate", "via": "departure"}
        assert "alice" not in str(event.header)


async def test_nobody_has_left_and_nothing_is_done(plant: Plant, paper: PaperServer) -> None:
    say(plant, "carol")
    say(plant, "carol", active=True)
    await Departures(plant).look()
    assert len(owners(plant)) == 3
    assert (recorded(plant), paper.asked) == ([], [])


async def test_a_worker_holds_no_token_of_theirs_in_memory(
    plant: Plant, stores: Stores, paper: PaperServer
) -> None:
    """Also one that does not delete the account itself."""
    other = worker(stores, paper)
    for each in (plant, other):
        credentials = each.upstream_identity.credentials
        for who in (ALICE, BOB):
            credentials.borrow(
                Registered(Upstream("notes"), StdioTarget(())), who, Token("t", 2**40)
            )
    say(plant, "alice")
    await Departures(plant).look()
    other.directory.refresh(1)
    await Departures(other).look()
    for each in (plant, other):
        assert each.upstream_identity.credentials.holders() == {BOB}


async def test_of_several_workers_one_does_it(
    plant: Plant, stores: Stores, paper: PaperServer
) -> None:
    workers = [plant, *(worker(stores, paper) for _ in range(3))]
    say(plant, "alice")
    for each in workers:
        each.directory.refresh(1)
    await asyncio.gather(*(Departures(each).look() for each in workers))
    assert owners(plant) == [BOB, ROBOT]
    assert (len(recorded(plant)), len(asked(paper))) == (1, 1)


@pytest.mark.parametrize(
    ("page", "said"),
    [(Paper(status=503), "failed"), (Paper({"error": "invalid_client"}, 401), "failed")],
)
async def test_a_server_that_does_not_end_it_keeps_nothing_here(
    plant: Plant, paper: PaperServer, page: Paper, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    paper.pages["/revoke"] = page
    say(plant, "alice")
    await Departures(plant).look()
    assert owners(plant) == [BOB, ROBOT]
    assert [e.header["revoked"] for e in recorded(plant)] == [said]
    assert "refresh-of" not in caplog.text


async def test_a_server_that_offers_no_way_is_not_asked(plant: Plant, paper: PaperServer) -> None:
    paper.issue()
    say(plant, "alice")
    await Departures(plant).look()
    assert [e.header["revoked"] for e in recorded(plant)] == ["not offered"]


async def test_a_server_that_never_answers_is_waited_for_only_so_long(plant: Plant) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    plant.upstream_identity.reach = Reach(internal=frozenset({url}))
    kept = Kept(Token("access", 2**40, "refresh"), OAuthClient("lockgate"), "r")
    await plant.accounts.put(renewed(Account(ALICE, "notes", url, "place"), kept))
    say(plant, "alice")
    async with asyncio.timeout(5):
        await Departures(plant, patience=0.05).look()
    assert owners(plant) == [BOB, ROBOT]
    assert [e.header["revoked"] for e in recorded(plant)] == ["failed"]
    server.close()


class Full(StoredEvents):
    def append(self, events: Sequence[AuditEvent]) -> None:
        raise StoreDown("disk full")


async def test_what_a_worker_left_half_done_another_finishes(
    plant: Plant, stores: Stores, paper: PaperServer
) -> None:
    """It had asked the server, and went before the journal had it."""
    say(plant, "alice")
    full = msgspec.structs.replace(stores, events=Full(stores.engine))
    with pytest.raises(StoreDown):
        await Departures(worker(full, paper)).look()
    assert len(owners(plant)) == 3, "what is not on record is not done"
    again = worker(stores, paper)
    next_one = Departures(again)
    await next_one.look()
    assert len(owners(plant)) == 3, "it is the first one's, as long as its lease lasts"
    (alice,) = [one for one in plant.accounts.list() if one.principal == ALICE]
    await plant.accounts.release(alice)  # as it ends by itself
    await next_one.look()
    assert owners(plant) == [BOB, ROBOT]
    assert len(recorded(plant)) == 1


async def test_what_leavers_connect_afterwards_does_not_stay(
    plant: Plant, paper: PaperServer
) -> None:
    say(plant, "alice")
    one = Departures(plant)
    await one.look()
    await connect(plant, paper, ALICE)
    await one.look()
    assert ALICE in owners(plant), "nothing has changed, so accounts are not read"
    one._looked -= AGAIN_MS
    await one.look()
    assert ALICE not in owners(plant)


async def test_who_comes_back_connects_anew_and_keeps_that(
    plant: Plant, paper: PaperServer
) -> None:
    one = Departures(plant)
    say(plant, "alice")
    await one.look()
    say(plant, "alice", active=True)
    await connect(plant, paper, ALICE)
    await one.look()
    assert ALICE in owners(plant)
