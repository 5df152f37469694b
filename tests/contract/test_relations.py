"""What every store of relations must do."""

import pytest
from sqlalchemy import Engine

from lockgate.store.relations import MemoryRelations, StoredRelations, Tie

Store = StoredRelations | MemoryRelations


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryRelations()
    engine: Engine = request.getfixturevalue(request.param)
    return StoredRelations(engine)


ALICE, BOB = Tie("p-1", "lead", "alice"), Tie("p-1", "lead", "bob")


def test_what_a_source_says_replaces_what_it_said(store: Store) -> None:
    assert store.replace("hr", [ALICE, BOB, ALICE]) == 2
    found = store.changed_relations(-1)
    assert found is not None
    assert found[1] == {("p-1", "lead"): {"alice", "bob"}}
    assert store.changed_relations(found[0]) is None
    assert store.replace("hr", []) == 0
    after = store.changed_relations(found[0])
    assert after is not None
    assert (after[0] > found[0], after[1]) == (True, {})


def test_sources_add_up(store: Store) -> None:
    store.replace("hr", [ALICE])
    store.replace("clinic", [BOB, ALICE])
    store.replace("hr", [])
    found = store.changed_relations(-1)
    assert found is not None
    assert found[1] == {("p-1", "lead"): {"alice", "bob"}}
