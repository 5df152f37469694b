"""The contract is in ``tests/contract/test_keys.py``."""

import pytest
from sqlalchemy import Engine, text

from lockgate.model import KeyRecord, StoreDown
from lockgate.store.database import reading
from lockgate.store.keys import StoredKeys

KEY = KeyRecord("a", "service", "alice", "robot", frozenset({"b", "a"}), "", "h", 1, 9)


def test_the_version_rises_in_the_transaction_of_the_change(engine: Engine) -> None:
    keys = StoredKeys(engine)
    keys.add(KEY)
    with pytest.raises(StoreDown):
        keys.add(KEY)
    with reading(engine) as connection:
        assert connection.scalar(text("SELECT version FROM feed WHERE topic = 'api_key'")) == 1


def test_a_database_that_cannot_be_read_is_store_down(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE api_key"))
        connection.execute(text("INSERT INTO feed VALUES ('api_key', 5)"))
    keys = StoredKeys(engine)
    for use in (
        keys.list,
        lambda: keys.changed(-1),
        lambda: keys.add(KEY),
        lambda: keys.revoke("a", 1),
        lambda: keys.rotate("a", KEY, 1),
        lambda: keys.note_used({"a": 1}),
    ):
        with pytest.raises(StoreDown):
            use()
