import asyncio

import pytest

from lockgate.app.clients import Conversation
from lockgate.app.parking import MOST, MOST_EACH, Parking
from lockgate.model import Release
from lockgate.pipeline.run import Refused
from lockgate.wire.request import Request

ALICE, BOB = "person:alice", "person:bob"


def waiting() -> tuple[Conversation, "asyncio.Task[Release | Refused]"]:
    """A conversation whose call runs until it is ended."""
    conversation = Conversation(Request("modern", "2026-07-28", 1, "tools/call"), _nothing)
    return conversation, conversation.begin(_run())


async def _run() -> Release | Refused:
    await asyncio.Event().wait()
    raise AssertionError


def _nothing(raw: bytes) -> None:
    raise AssertionError(raw)


async def ended(task: "asyncio.Task[Release | Refused]") -> bool:
    async with asyncio.timeout(5):
        await asyncio.wait({task})
    return task.cancelled()


async def test_a_parked_call_is_taken_up_once_by_its_own_principal() -> None:
    parking = Parking()
    conversation, task = waiting()
    name = parking.park(conversation, ALICE)
    assert name is not None
    assert parking.take(name, BOB) is None
    assert parking.take("made-up", ALICE) is None
    assert parking.parked == 1
    assert parking.take(name, ALICE) is conversation
    assert parking.take(name, ALICE) is None
    assert parking.parked == 0
    assert not task.done()
    task.cancel()


async def test_who_does_not_come_back_finds_the_call_ended() -> None:
    parking = Parking(seconds=0.01)
    conversation, task = waiting()
    name = parking.park(conversation, ALICE)
    assert await ended(task)
    assert name is not None
    assert parking.take(name, ALICE) is None
    assert parking.parked == 0


async def test_a_call_that_was_taken_up_does_not_expire() -> None:
    failed: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
    parking = Parking(seconds=0.01)
    conversation, task = waiting()
    other, reference = waiting()
    name = parking.park(conversation, ALICE)
    parking.park(other, ALICE)
    assert name is not None
    parking.take(name, ALICE)
    assert await ended(reference)
    assert not task.done()
    assert not failed
    task.cancel()


async def test_one_principal_cannot_fill_the_place() -> None:
    parking = Parking()
    tasks = []
    names = []
    for _ in range(MOST_EACH):
        conversation, task = waiting()
        tasks.append(task)
        names.append(parking.park(conversation, ALICE))
    assert None not in names
    surplus, late = waiting()
    assert parking.park(surplus, ALICE) is None
    assert await ended(late)
    bobs, his = waiting()
    assert parking.park(bobs, BOB) is not None
    parking.take(str(names[0]), ALICE)
    again, hers = waiting()
    assert parking.park(again, ALICE) is not None
    parking.end_all()
    for task in (*tasks[1:], his, hers):
        assert await ended(task)
    assert parking.parked == 0
    assert not tasks[0].done()
    tasks[0].cancel()


async def test_all_principals_together_have_a_limit_too() -> None:
    parking = Parking()
    for number in range(MOST):
        assert parking.park(waiting()[0], f"person:{number // MOST_EACH}") is not None
    surplus, late = waiting()
    assert parking.park(surplus, BOB) is None
    assert await ended(late)
    parking.end_all()
    assert parking.parked == 0


async def test_names_cannot_be_guessed() -> None:
    parking = Parking()
    names = {parking.park(waiting()[0], ALICE) for _ in range(MOST_EACH)}
    assert len(names) == MOST_EACH
    assert min(len(str(name)) for name in names) >= 16
    parking.end_all()


@pytest.mark.parametrize("holder", [ALICE, BOB])
async def test_places_are_given_back(holder: str) -> None:
    parking = Parking()
    for _ in range(3 * MOST_EACH):
        conversation, task = waiting()
        name = parking.park(conversation, holder)
        assert name is not None
        parking.take(name, holder)
        task.cancel()
