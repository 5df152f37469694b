"""The contract is in ``tests/contract/test_people.py``."""

import pytest
from sqlalchemy import Engine, text

from lockgate.model import Person, StoreDown
from lockgate.store.database import reading
from lockgate.store.people import StoredPeople


def test_the_version_rises_in_the_transaction_of_the_change(engine: Engine) -> None:
    people = StoredPeople(engine)
    people.put([Person("1", "scim", "alice")])
    people.put([Person("2", "scim", "ALICE")])
    with reading(engine) as connection:
        assert connection.scalar(text("SELECT version FROM feed WHERE topic = 'person'")) == 1
        assert connection.scalar(text("SELECT version FROM person")) == 1


def test_a_name_that_looks_like_sql_is_a_name(engine: Engine) -> None:
    people = StoredPeople(engine)
    name = "x'); DROP TABLE person; --"
    people.put([Person("1", "scim", name)])
    assert [p.user_name for p in people.people()] == [name]


def test_a_database_that_cannot_be_read_is_store_down(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in ("person", "person_group", "person_source"):
            connection.execute(text(f"DROP TABLE {table}"))
    people = StoredPeople(engine)
    for use in (
        people.people,
        people.groups,
        lambda: people.changed(-1),
        lambda: people.put([Person("1", "scim", "alice")]),
        lambda: people.claim("ldap:a", 1, 1),
        lambda: people.hear("ldap:a", 1),
    ):
        with pytest.raises(StoreDown):
            use()
