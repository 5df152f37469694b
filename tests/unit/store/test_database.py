"""What both databases promise alike. What each does its own way is in its own test."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, select

from lockgate.model import StoreDown
from lockgate.store.database import brought_up, insert_into, reading, schema_of, writing
from lockgate.store.tables import SCHEMA, feed


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    made: Engine = request.getfixturevalue(request.param)
    return made


def test_a_write_that_raises_leaves_nothing(engine: Engine) -> None:
    def change() -> None:
        with writing(engine) as connection:
            connection.execute(feed.insert().values(topic="t", version=1))
            raise KeyError

    with pytest.raises(KeyError):
        change()
    with reading(engine) as connection:
        assert connection.scalar(select(feed.c.version)) is None


def test_a_read_sees_one_moment(engine: Engine) -> None:
    with reading(engine) as before:
        assert before.scalar(select(feed.c.version)) is None
        with writing(engine) as connection:
            connection.execute(feed.insert().values(topic="t", version=1))
        assert before.scalar(select(feed.c.version)) is None


def test_a_reader_cannot_write(postgresql: Engine) -> None:
    with pytest.raises(Exception, match="read-only"), reading(postgresql) as connection:
        connection.execute(feed.insert().values(topic="t", version=1))


def test_a_writer_waits_for_the_one_before(engine: Engine) -> None:
    """Each raises what it read: nothing is lost where they take turns."""

    def raise_it(_: int) -> None:
        with writing(engine) as connection:
            found = connection.scalar(select(feed.c.version)) or 0
            row = insert_into(connection, feed).values(topic="t", version=1)
            again = row.on_conflict_do_update(index_elements=["topic"], set_={"version": found + 1})
            connection.execute(again)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(raise_it, range(20)))
    with reading(engine) as connection:
        assert connection.scalar(select(feed.c.version)) == 20


def test_what_is_up_to_date_is_not_upgraded(engine: Engine) -> None:
    def surprise(_: Engine) -> None:
        raise AssertionError("was up to date")

    assert schema_of(brought_up(engine, surprise, "here")) == SCHEMA


def test_what_an_upgrade_leaves_old_is_refused_by_name(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(StoreDown, match="here has schema 0000"):
        brought_up(engine, lambda _: None, "here")
