"""The contract is in ``tests/contract/test_privileges.py``."""

import msgspec
import pytest
from sqlalchemy import Engine, text

from lockgate.model import StoreDown
from lockgate.model.privilege import Privilege
from lockgate.store.database import reading
from lockgate.store.privileges import StoredPrivileges

ONE = Privilege("a", "reader", "os:alice", "why", 1, 60_000, 9)


def test_the_version_rises_in_the_transaction_of_the_change(engine: Engine) -> None:
    store = StoredPrivileges(engine)
    store.add(ONE)
    with pytest.raises(StoreDown):
        store.add(ONE)
    assert not store.replace(ONE)
    with reading(engine) as connection:
        assert connection.scalar(text("SELECT version FROM feed WHERE topic = 'privilege'")) == 1


def test_a_database_that_cannot_be_read_is_store_down(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE privilege"))
        connection.execute(text("INSERT INTO feed VALUES ('privilege', 5)"))
    store = StoredPrivileges(engine)
    changed = msgspec.structs.replace(ONE, version=1)
    for use in (
        store.list,
        lambda: store.changed(-1),
        lambda: store.add(ONE),
        lambda: store.replace(changed),
    ):
        with pytest.raises(StoreDown):
            use()
