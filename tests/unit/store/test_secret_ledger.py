import pytest
from sqlalchemy import Engine, text

from lockgate.model import StoreDown
from lockgate.model.reference import Reference
from lockgate.model.secret import Secret
from lockgate.store.database import writing
from lockgate.store.secret_ledger import StoredSecretLedger

A = Reference("env", "A")


def test_a_database_in_trouble_is_said(engine: Engine) -> None:
    ledger = StoredSecretLedger(engine, lambda: b"pepper")
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE secret"))
    for act in (
        ledger.all,
        lambda: ledger.observe({A: Secret("canary")}, 1),
        lambda: ledger.probed(A, "accepted", 1),
    ):
        with pytest.raises(StoreDown) as caught:
            act()
        assert "canary" not in str(caught.value)


def test_the_value_is_not_kept(engine: Engine) -> None:
    StoredSecretLedger(engine, lambda: b"pepper").observe({A: Secret("canary-value")}, 1)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM secret")).all()
    assert len(rows) == 1
    assert "canary-value" not in repr(rows)
