"""What only the table can do; the rest is in ``contract/test_quota.py``."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Engine, text

from lockgate.model import Call, Principal, StoreDown, Upstream
from lockgate.store.quota import QuotaLimits
from lockgate.store.quota_postgresql import SharedReservations, Table, Wish
from support.postgres import Server

LIMITS = QuotaLimits(1, 100, 2)


def call(id: str = "c") -> Call:
    person = Principal(kind="person", subject="alice")
    return Call(id, person, "tools/call", Upstream("clinic"), "t", b"{}")


@pytest.fixture
async def quota(postgresql: Engine) -> AsyncIterator[SharedReservations]:
    made = SharedReservations(LIMITS, postgresql, "w0")
    await made.renew()
    yield made
    await made.close()


async def test_a_lost_connection_denies_once_and_is_made_again(
    quota: SharedReservations, postgres: Server
) -> None:
    first = await quota.learn(call("a"))
    postgres.drop_connections()
    quota.settle(first)  # is tried again with what comes next
    with pytest.raises(StoreDown):
        await quota.learn(call("b"))
    taken = [await quota.learn(call(id)) for id in "cde"]
    assert [each.running_ok for each in taken] == [True, True, False]


async def test_who_stops_waiting_gives_back_what_it_would_have_got(
    quota: SharedReservations, postgresql: Engine
) -> None:
    waiting = asyncio.ensure_future(quota.learn(call("a")))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    taken = [await quota.learn(call(id)) for id in "bcd"]
    assert sum(each.running_ok for each in taken) == 2


async def test_the_tables_are_not_logged(quota: SharedReservations, postgresql: Engine) -> None:
    query = "SELECT relpersistence FROM pg_class WHERE relname IN ('quota_bucket', 'quota_owner')"
    with postgresql.connect() as connection:
        assert connection.scalars(text(query)).all() == ["u", "u"]


def test_one_transaction_carries_out_all_that_waits(postgresql: Engine) -> None:
    table = Table(postgresql, "w0")
    table.renew()
    wishes = [Wish("alice", LIMITS) for _ in range(3)] + [Wish("bob", LIMITS)]
    table.carry_out([*wishes[:2], Wish("alice", None), *wishes[2:], Wish("nobody", None)])
    assert [wish.found for wish in wishes] == [(0, True)] * 4
    last = Wish("alice", LIMITS)
    table.carry_out([last])
    assert last.found == (0, False)
    table.leave()


def test_what_an_owner_without_a_lease_holds_counts_no_more(postgresql: Engine) -> None:
    gone, here = Table(postgresql, "w0"), Table(postgresql, "w1")
    gone.renew()
    here.renew()
    gone.carry_out([Wish("alice", LIMITS) for _ in range(2)])
    full, free = Wish("alice", LIMITS), Wish("alice", LIMITS)
    here.carry_out([full])
    with postgresql.begin() as connection:
        connection.execute(text("UPDATE quota_owner SET until = 0 WHERE node = 'w0'"))
    here.renew()
    here.carry_out([free])
    assert (full.found, free.found) == ((0, False), (0, True))
    gone.disconnect()
    here.leave()
