import asyncio

from lockgate.app.outbox import Outbox


def test_what_waits_is_taken_once() -> None:
    outbox = Outbox()
    outbox.put(b"a")
    outbox.put(b"b")
    assert outbox.take() == [b"a", b"b"]
    assert outbox.take() == []


def test_of_too_many_the_oldest_are_lost() -> None:
    outbox = Outbox(most=2)
    for message in (b"a", b"b", b"c"):
        outbox.put(message)
    assert outbox.take() == [b"b", b"c"]


def test_of_too_much_the_oldest_is_lost() -> None:
    outbox = Outbox(most_bytes=6)
    for message in (b"aaaa", b"bb", b"cccc"):
        outbox.put(message)
    assert outbox.take() == [b"bb", b"cccc"]


def test_what_was_taken_no_longer_counts() -> None:
    outbox = Outbox(most_bytes=4)
    outbox.put(b"aaaa")
    outbox.take()
    outbox.put(b"bbbb")
    assert outbox.take() == [b"bbbb"]


def test_what_fits_by_no_means_is_lost() -> None:
    outbox = Outbox(most_bytes=1)
    outbox.put(b"aa")
    assert outbox.take() == []


async def test_a_message_is_a_change_and_so_is_anything_else_worth_a_look() -> None:
    outbox = Outbox()
    assert not await outbox.changed(0.001)
    outbox.put(b"a")
    assert await outbox.changed(5)
    assert not await outbox.changed(0.001)
    waiting = asyncio.ensure_future(outbox.changed(5))
    await asyncio.sleep(0)
    outbox.wake()
    assert await waiting


def test_from_some_point_on_all_goes_elsewhere_and_first_what_waits() -> None:
    outbox = Outbox()
    outbox.put(b"a")
    waited = outbox.waiting
    elsewhere: list[bytes] = []
    outbox.forward(elsewhere.append)
    outbox.put(b"b")
    assert elsewhere == [b"a", b"b"]
    assert (waited, outbox.waiting) == (True, False)
    assert outbox.take() == []
