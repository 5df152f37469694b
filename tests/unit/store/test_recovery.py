"""The contract is in ``tests/contract/test_recovery.py``."""

import pytest
from sqlalchemy import Engine, text

from lockgate.model import StoreDown
from lockgate.model.privilege import RecoveryCode
from lockgate.store.recovery import StoredRecovery


def test_a_database_that_cannot_be_used_is_store_down(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE recovery_code"))
    store = StoredRecovery(engine)
    for use in (
        store.list,
        lambda: store.put(RecoveryCode("h", "opal", 9)),
        lambda: store.use("h", "cli", 1),
    ):
        with pytest.raises(StoreDown):
            use()
