import sqlite3

import pytest
from sqlalchemy import Engine, text

from lockgate.model import StoreDown
from lockgate.store.failing import store_errors


def fail_with(error: Exception) -> None:
    with store_errors("cannot try"):
        raise error


@pytest.mark.parametrize("error", [sqlite3.OperationalError("x"), OSError("x")])
def test_what_a_store_raises_becomes_store_down_with_its_cause(error: Exception) -> None:
    with pytest.raises(StoreDown, match=r"cannot try: .*x") as down:
        fail_with(error)
    assert down.value.__cause__ is error


def test_a_defect_of_ours_is_not_dressed_up_as_an_outage() -> None:
    with pytest.raises(KeyError):
        fail_with(KeyError("x"))


def test_the_message_names_the_error_but_no_values(engine: Engine) -> None:
    statement = text("INSERT INTO feed VALUES (:t, NULL)")
    with pytest.raises(StoreDown) as down, store_errors("cannot try"), engine.begin() as connection:
        connection.execute(statement, {"t": "secret-value"})
    assert "SQLITE_CONSTRAINT_NOTNULL" in str(down.value)
    assert "secret-value" not in f"{down.value} {down.value.__cause__}"
