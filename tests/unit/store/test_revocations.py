from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from lockgate.model import StoreDown
from lockgate.model.revocation import Revocation
from lockgate.store.revocations import StoredRevocations

ONE = Revocation("token", "i", "t", 1_000, 9_000)


def test_a_copy_that_was_not_read_lately_says_so(sqlite: Engine) -> None:
    store = StoredRevocations(sqlite)
    assert not store.fresh(1_000)
    store.refresh(1_000)
    assert store.fresh(3_000)
    assert not store.fresh(3_001)


def test_without_a_database_nothing_is_revoked(sqlite: Engine, tmp_path: Path) -> None:
    store = StoredRevocations(sqlite)
    with sqlite.begin() as connection:
        connection.execute(text("DROP TABLE revocation"))
    with pytest.raises(StoreDown):
        store.add(ONE)
    with pytest.raises(StoreDown):
        store.list()
