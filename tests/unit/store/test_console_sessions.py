"""The contract is in ``tests/contract/test_console_sessions.py``."""

import pytest
from sqlalchemy import Engine, text

from lockgate.model import StoreDown
from lockgate.model.console import ConsoleSession
from lockgate.store.console_sessions import StoredConsoleSessions

ONE = ConsoleSession("h", "oidc:alice", "Alice", "s", "", 1, 1, 9)


def test_a_database_that_cannot_be_used_is_store_down(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE console_session"))
        connection.execute(text("DROP TABLE used_once"))
    store = StoredConsoleSessions(engine)
    for use in (
        lambda: store.put(ONE, 1),
        lambda: store.find("h"),
        lambda: store.touch("h", 2),
        lambda: store.end("h"),
        lambda: store.end_of("oidc:alice", "", "t", 9, 1),
        lambda: store.once("t", 9, 1),
    ):
        with pytest.raises(StoreDown):
            use()
