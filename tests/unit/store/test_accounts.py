"""The contract is in ``tests/contract/test_accounts.py``; here: what the database itself holds."""

import msgspec
import pytest
from sqlalchemy import Engine, text

from lockgate.model import Account, StoreDown
from lockgate.store.accounts import StoredAccounts, account_key

SECRET = b'{"access":"at-secret","refresh":"rt-secret"}'
ALICE = Account("person:alice", "notes", "https://auth.example", "place", secret=SECRET)


def opened(engine: Engine, key: bytes = b"k" * 32) -> StoredAccounts:
    return StoredAccounts(engine, key, lambda: 1_000)


async def test_no_token_lies_in_the_database_in_the_clear(engine: Engine) -> None:
    await opened(engine).put(ALICE)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM account")).all()
    assert "secret" not in repr(rows)


async def test_a_row_moved_to_another_principal_or_upstream_does_not_open(engine: Engine) -> None:
    store = opened(engine)
    await store.put(ALICE)
    for change, who, where in (
        ("UPDATE account SET principal = 'person:mallory'", "person:mallory", "notes"),
        ("UPDATE account SET upstream = 'other'", "person:mallory", "other"),
    ):
        with engine.begin() as connection:
            connection.execute(text(change))
        with pytest.raises(StoreDown, match="cannot be opened"):
            await store.get(who, where)


async def test_another_deployment_s_key_does_not_open_it(engine: Engine) -> None:
    await opened(engine).put(ALICE)
    with pytest.raises(StoreDown, match="cannot be opened"):
        await opened(engine, b"x" * 32).get("person:alice", "notes")


async def test_tokens_never_stand_in_a_repr(engine: Engine) -> None:
    store = opened(engine)
    await store.put(ALICE)
    assert "secret" not in repr(await store.get("person:alice", "notes"))


async def test_a_broken_database_is_told_as_such(engine: Engine) -> None:
    store = opened(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE account"))
    with pytest.raises(StoreDown):
        await store.get("person:alice", "notes")
    with pytest.raises(StoreDown):
        store.list()


def test_the_key_is_not_the_deployment_s_own() -> None:
    derived = account_key(b"s" * 32)
    assert (len(derived), derived) == (32, account_key(b"s" * 32))
    assert derived != b"s" * 32
    assert msgspec.structs.replace(ALICE).secret == SECRET
