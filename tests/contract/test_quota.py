"""What every quota must do, in memory and shared by several workers."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from lockgate.model import Call, Principal, Reservation, Upstream
from lockgate.store.quota import MemoryBuckets, QuotaLimits, Reservations
from lockgate.store.quota_postgresql import SharedReservations
from lockgate.store.quota_rows import LEASE_MS
from lockgate.store.quota_shared import SharedBuckets

Quota = Reservations | SharedReservations
SLOW = QuotaLimits(1, 3, 2)
"""Next to nothing comes back while a test runs, whatever clock it goes by."""
WIDE = QuotaLimits(1, 10_000, 10)


class Clock:
    now = 1_000_000

    def __call__(self) -> int:
        return self.now


class Deployment:
    """``worker(n)`` joins as that worker; one that joins again has ended before."""

    def __init__(self, kind: str, place: Path, engine: Callable[[], Engine]) -> None:
        self.kind = kind
        self.clock = Clock()
        self._place = place
        self._engine = engine
        self._memory = MemoryBuckets(self.clock)
        self.workers: list[Quota] = []

    async def worker(self, number: int = 0, limits: QuotaLimits = SLOW) -> Quota:
        made: Quota
        if self.kind == "memory":
            made = Reservations(limits, self._memory)
        elif self.kind == "shared":
            buckets = SharedBuckets(self._place / "quota", number, 2, self.clock)
            made = Reservations(limits, buckets)
        else:
            made = SharedReservations(limits, self._engine(), f"w{number}")
        await made.renew()
        self.workers.append(made)
        return made


@pytest.fixture(params=["memory", "shared", "postgresql"])
async def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Deployment]:
    found = Deployment(request.param, tmp_path, lambda: request.getfixturevalue("postgresql"))
    if request.param == "postgresql":
        request.getfixturevalue("postgresql")
    yield found
    for each in found.workers:
        await each.close()


several = pytest.mark.parametrize("deployment", ["shared", "postgresql"], indirect=True)


def call(who: str = "alice", id: str = "c", part_of: str = "") -> Call:
    person = Principal(kind="person", subject=who)
    return Call(id, person, "tools/call", Upstream("clinic"), "t", b"{}", part_of=part_of)


async def learn(quota: Quota, asked: Call | None = None) -> Reservation:
    found: Any = quota.learn(asked or call())
    taken: Reservation = await found if inspect.isawaitable(found) else found
    return taken


def ok(taken: Reservation) -> tuple[bool, bool]:
    return taken.rate_ok, taken.running_ok


async def test_a_call_within_the_limits_takes_a_token_and_a_place(deployment: Deployment) -> None:
    taken = await learn(await deployment.worker())
    assert (taken.key, *ok(taken), taken.retry_after_ms) == ("person:alice", True, True, 0)
    assert (taken.limit_per_minute, taken.limit_running) == (1, 2)


async def test_the_rate_is_spent(deployment: Deployment) -> None:
    quota = await deployment.worker()
    for _ in range(3):
        quota.settle(await learn(quota))
    refused = await learn(quota)
    assert not refused.rate_ok
    assert 50_000 < refused.retry_after_ms <= 60_000


async def test_a_place_comes_back_when_the_call_is_over(deployment: Deployment) -> None:
    quota = await deployment.worker(limits=WIDE)
    quota.limits = QuotaLimits(1, 10_000, 2)
    first, second = await learn(quota), await learn(quota)
    refused = await learn(quota)
    assert ok(refused) == (True, False)
    quota.settle(refused)
    assert ok(await learn(quota)) == (True, False), "who got no place gives none back"
    quota.settle(first)
    quota.settle(first)
    assert ok(await learn(quota)) == (True, True)
    assert ok(await learn(quota)) == (True, False), "settling twice gives one place back"
    assert second.running_ok


async def test_principals_do_not_share(deployment: Deployment) -> None:
    quota = await deployment.worker(limits=QuotaLimits(1, 1, 1))
    assert ok(await learn(quota, call("alice"))) == (True, True)
    assert ok(await learn(quota, call("bob"))) == (True, True)


async def test_the_parts_of_one_request_share_what_its_first_part_took(
    deployment: Deployment,
) -> None:
    quota = await deployment.worker(limits=QuotaLimits(1, 10, 1))
    parts = [call(), *(call(id=f"c.{n}", part_of="c") for n in range(1, 9))]
    taken = await asyncio.gather(*(learn(quota, part) for part in parts))
    assert {ok(each) for each in taken} == {(True, True)}
    for each in taken[:-1]:
        quota.settle(each)
    assert not (await learn(quota, call(id="d"))).running_ok, "the last part still runs"
    quota.settle(taken[-1])
    assert ok(await learn(quota, call(id="e"))) == (True, True)
    assert (await learn(quota, call(id="f", part_of="e", who="bob"))).key == "person:bob"


async def test_a_thousand_at_once_get_exactly_what_there_is(deployment: Deployment) -> None:
    limits = QuotaLimits(1, 400, 300)
    workers = [await deployment.worker(n, limits) for n in range(2)]
    asked = (learn(workers[n % 2], call(id=f"c{n}")) for n in range(1_000))
    taken = [ok(each) for each in await asyncio.gather(*asked)]
    assert taken.count((True, True)) == 300
    assert sum(rate for rate, _ in taken) == 400


async def test_what_one_worker_takes_another_has_not(deployment: Deployment) -> None:
    limits = QuotaLimits(1, 4, 2)
    here, there = await deployment.worker(0, limits), await deployment.worker(1, limits)
    first, second = await learn(here), await learn(there)
    assert ok(first) == ok(second) == (True, True)
    assert ok(await learn(here)) == (True, False)
    there.settle(second)
    await learn(there, call("bob"))  # where giving back takes a while, it is done before this
    assert ok(await learn(here)) == (True, True)
    assert not (await learn(there)).rate_ok


@several
async def test_a_worker_that_is_started_again_owes_nothing(deployment: Deployment) -> None:
    limits = QuotaLimits(1, 100, 1)
    await learn(await deployment.worker(0, limits))
    other = await deployment.worker(1, limits)
    assert ok(await learn(other)) == (True, False)
    again = await deployment.worker(0, limits)
    assert ok(await learn(again)) == (True, True)
    assert ok(await learn(other)) == (True, False), "the new one's place counts"


@pytest.mark.parametrize("deployment", ["shared"], indirect=True)
async def test_a_worker_that_renews_no_more_is_forgotten(deployment: Deployment) -> None:
    limits = QuotaLimits(1, 100, 1)
    await learn(await deployment.worker(0, limits))
    other = await deployment.worker(1, limits)
    deployment.clock.now += LEASE_MS - 1
    await other.renew()
    assert ok(await learn(other)) == (True, False)
    deployment.clock.now += 2
    await other.renew()
    assert ok(await learn(other)) == (True, True)


@several
async def test_a_worker_that_ends_gives_all_back(deployment: Deployment) -> None:
    limits = QuotaLimits(1, 100, 1)
    here, other = await deployment.worker(0, limits), await deployment.worker(1, limits)
    await learn(here)
    deployment.workers.remove(here)
    await here.close()
    await other.renew()
    assert ok(await learn(other)) == (True, True)


async def test_the_next_call_is_measured_by_new_limits(deployment: Deployment) -> None:
    quota = await deployment.worker(limits=WIDE)
    await learn(quota)
    quota.limits = QuotaLimits(1, 1, 1)
    assert ok(await learn(quota)) == (True, False)
    assert not (await learn(quota)).rate_ok
