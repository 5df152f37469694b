import asyncio

import pytest

from lockgate.app.wishes import DEFAULT_LEVEL, MOST_URIS, Wishes
from lockgate.model import Session, StoreDown
from lockgate.store.session_states import MemorySessionStates
from lockgate.wire.refusal import WireRefusal
from support.attending import DownStates

ALICE = Session("s-1", "person:alice", "/mcp", "2025-11-25", "test/1", b"{}", 0)


def wishes() -> Wishes:
    return Wishes(MemorySessionStates(lambda: 0), lambda session: session.opened + 1_000)


async def test_a_level_stands_until_another_is_set() -> None:
    kept = wishes()
    assert kept.level("s-1") == DEFAULT_LEVEL
    for level in ("debug", "emergency"):
        await kept.set_level(ALICE, level)
        assert (kept.level("s-1"), kept.level("s-2")) == (level, DEFAULT_LEVEL)
    for nonsense in ("loud", None, 3, ["info"]):
        with pytest.raises(WireRefusal, match=r"wire\.bad-params"):
            await kept.set_level(ALICE, nonsense)
    assert kept.level("s-1") == "emergency"


async def test_where_nobody_can_say_no_message_is_wanted() -> None:
    kept = Wishes(DownStates(), lambda _: 0)
    assert kept.level("s-1") == ""
    with pytest.raises(StoreDown):
        kept.uris("s-1")


async def test_changes_at_once_are_all_kept() -> None:
    kept = wishes()
    await asyncio.gather(
        *(kept.add(ALICE, f"a:{n}") for n in range(5)), kept.set_level(ALICE, "error")
    )
    assert await kept.remove(ALICE, "a:3") == {"a:0", "a:1", "a:2", "a:4"}
    assert await kept.remove(ALICE, "never") == kept.uris("s-1")
    assert kept.level("s-1") == "error"


async def test_there_is_room_for_so_many() -> None:
    kept = wishes()
    for number in range(MOST_URIS):
        kept.check_room(ALICE, f"a:{number}")
        await kept.add(ALICE, f"a:{number}")
    with pytest.raises(WireRefusal, match=r"subscription\.too-many"):
        kept.check_room(ALICE, "a:new")
    kept.check_room(ALICE, "a:3")
