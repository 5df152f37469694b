"""What every store of connected accounts must do."""

from collections.abc import Callable

import msgspec
import pytest

from lockgate.model import Account
from lockgate.store.accounts import StoredAccounts
from lockgate.store.memory_accounts import MemoryAccounts

Store = StoredAccounts | MemoryAccounts
ALICE = Account(
    "person:alice", "notes", "https://auth.example", "place", ("a", "b"), connected=900,
    expires=2_000, secret=b"tokens",
)  # fmt: skip


class Clock:
    now = 1_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def opener(request: pytest.FixtureRequest, clock: Clock) -> Callable[[], Store]:
    """Opens the same store, as each worker does."""
    if request.param == "memory":
        shared = MemoryAccounts(clock)
        return lambda: shared
    engine = request.getfixturevalue(request.param)
    return lambda: StoredAccounts(engine, b"k" * 32, clock)


async def kept(store: Store, one: Account = ALICE) -> Account:
    await store.put(one)
    found = await store.get(one.principal, one.upstream)
    assert found is not None
    return found


async def test_an_account_comes_back_as_it_was(opener: Callable[[], Store]) -> None:
    found = await kept(opener())
    assert msgspec.structs.replace(found, version=0) == ALICE
    assert found.version > 0


async def test_an_account_belongs_to_one_principal_and_one_upstream(
    opener: Callable[[], Store],
) -> None:
    store = opener()
    await kept(store)
    assert await store.get("person:bob", "notes") is None
    assert await store.get("person:alice", "tracker") is None


async def test_one_of_two_workers_may_renew_a_version(
    opener: Callable[[], Store], clock: Clock
) -> None:
    one, other = opener(), opener()
    found = await kept(one)
    assert await one.lease(found, 2_000)
    assert not await other.lease(found, 2_000)
    assert await one.renew(msgspec.structs.replace(found, secret=b"new"))
    assert not await other.lease(found, 2_000)  # that version is gone
    now = await other.get("person:alice", "notes")
    assert now is not None
    assert (now.secret, now.version) == (b"new", found.version + 1)
    assert await other.lease(now, 2_000)


async def test_a_lease_ends_by_itself_or_is_given_back(
    opener: Callable[[], Store], clock: Clock
) -> None:
    store = opener()
    found = await kept(store)
    assert await store.lease(found, 2_000)
    await store.release(found)
    assert await store.lease(found, 2_000)
    clock.now = 2_000
    assert await store.lease(found, 3_000)


async def test_what_was_changed_meanwhile_is_not_overwritten(
    opener: Callable[[], Store], clock: Clock
) -> None:
    store = opener()
    old = await kept(store)
    clock.now += 1
    again = await kept(store, msgspec.structs.replace(ALICE, secret=b"again"))
    assert not await store.renew(old)
    assert not await store.lease(old, 5_000)
    await store.disconnect("person:alice", "notes")
    clock.now += 1
    anew = await kept(store)
    assert not await store.renew(again)
    assert anew.version not in (old.version, again.version)


async def test_disconnecting_takes_one_or_all_of_one_principal(
    opener: Callable[[], Store],
) -> None:
    store = opener()
    for upstream in ("notes", "tracker", "wiki"):
        await store.put(msgspec.structs.replace(ALICE, upstream=upstream))
    await store.put(msgspec.structs.replace(ALICE, principal="person:bob"))
    assert await store.disconnect("person:alice", "wiki") == 1
    assert await store.disconnect("person:alice", "wiki") == 0
    assert await store.disconnect("person:alice") == 2
    assert [one.principal for one in store.list()] == ["person:bob"]


async def test_a_list_holds_no_secret(opener: Callable[[], Store]) -> None:
    store = opener()
    await store.put(ALICE)
    (found,) = store.list()
    assert (found.secret, found.scopes) == (b"", ("a", "b"))


async def test_a_token_is_used_once_by_all_workers_together(
    opener: Callable[[], Store], clock: Clock
) -> None:
    one, other = opener(), opener()
    assert await one.use_once("t", 2_000)
    assert not await other.use_once("t", 2_000)
    assert await other.use_once("u", 2_000)
    clock.now = 3_000
    assert await one.use_once("t", 4_000)  # it was not worth anything any more
