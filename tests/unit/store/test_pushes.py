from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy import Engine

from lockgate.model import StoreDown
from lockgate.store.database import writing
from lockgate.store.feed import bump
from lockgate.store.migrate import upgrade
from lockgate.store.postgresql import open_postgresql
from lockgate.store.pushes import Pushes, pushes_of
from support.postgres import Server

LONG = 10.0


@pytest.fixture
def pushes(postgresql: Engine) -> Pushes:
    found = pushes_of(postgresql)
    assert found is not None
    assert found.wait(LONG) == {""}, "what was missed before is not known"
    return found


def change(engine: Engine, topic: str) -> None:
    with writing(engine) as connection:
        bump(connection, topic)


def test_sqlite_tells_nobody(engine: Engine) -> None:
    assert pushes_of(engine) is None


def test_a_change_is_told_at_once_and_by_its_topic(pushes: Pushes, postgresql: Engine) -> None:
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(pushes.wait, LONG)
        change(postgresql, "api_key")
        assert told.result(LONG) == {"api_key"}
    pushes.close()


def test_what_changed_while_nobody_waited_is_told_next(pushes: Pushes, postgresql: Engine) -> None:
    change(postgresql, "a")
    change(postgresql, "b")
    told = pushes.wait(LONG)
    while told < {"a", "b"}:
        told |= pushes.wait(LONG)
    pushes.close()


def test_a_change_that_is_taken_back_is_not_told(pushes: Pushes, postgresql: Engine) -> None:
    with suppress(KeyError), writing(postgresql) as connection:
        bump(connection, "a")
        raise KeyError
    assert pushes.wait(0.05) == frozenset()
    pushes.close()


def test_a_lost_connection_is_said_once_and_made_anew(
    postgres: Server, pushes: Pushes, postgresql: Engine
) -> None:
    postgres.drop_connections()
    with pytest.raises(StoreDown, match="not told"):
        pushes.wait(LONG)
    postgresql.dispose()
    assert pushes.wait(LONG) == {""}
    change(postgresql, "a")
    assert pushes.wait(LONG) == {"a"}
    pushes.close()


def test_a_database_that_is_gone_is_store_down(postgres: Server) -> None:
    with postgres.database() as url:
        engine = open_postgresql(url, upgrade)
    pushes = Pushes(engine)
    with pytest.raises(StoreDown, match="not told"):
        pushes.wait(LONG)
    engine.dispose()
