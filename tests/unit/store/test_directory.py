"""Lookups are in ``tests/contract/test_people.py``."""

import pytest
from sqlalchemy import Engine, text

from lockgate.model import Person, StoreDown
from lockgate.store.directory import Directory
from lockgate.store.memory_people import MemoryPeople
from lockgate.store.people import StoredPeople


def test_it_closes_when_it_was_not_refreshed_for_two_seconds() -> None:
    directory = Directory(MemoryPeople())
    assert not directory.fresh(0)
    directory.refresh(10_000)
    assert directory.fresh(12_000)
    assert not directory.fresh(12_001)
    assert not directory.fresh(7_999), "the clock was set back"


def test_it_closes_when_the_store_is_gone(engine: Engine) -> None:
    directory = Directory(StoredPeople(engine))
    directory.refresh(10_000)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE feed"))
    with pytest.raises(StoreDown):
        directory.refresh(13_000)
    assert not directory.fresh(13_000)


def test_a_refresh_without_news_keeps_what_there_was() -> None:
    people = MemoryPeople()
    people.put([Person("1", "scim", "alice")])
    directory = Directory(people)
    directory.refresh(1)
    before = directory.named("alice")
    directory.refresh(2)
    assert directory.named("alice") is before
