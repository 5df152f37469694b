import pytest
from sqlalchemy import Engine, text

from lockgate.model import StoreDown
from lockgate.store.key_ring import KeyRing
from lockgate.store.keys import StoredKeys
from lockgate.store.memory_keys import MemoryKeys


def test_it_closes_when_it_was_not_refreshed_for_two_seconds() -> None:
    ring = KeyRing(MemoryKeys())
    assert not ring.fresh(0)
    ring.refresh(10_000)
    assert ring.fresh(12_000)
    assert not ring.fresh(12_001)


def test_it_closes_when_the_store_is_gone(engine: Engine) -> None:
    ring = KeyRing(StoredKeys(engine))
    ring.refresh(10_000)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE feed"))
    with pytest.raises(StoreDown):
        ring.refresh(13_000)
    assert not ring.fresh(13_000)
