"""The contract is in ``tests/contract/test_keys.py``."""

from lockgate.model import KeyRecord
from lockgate.store.memory_keys import MemoryKeys


def test_a_copy_that_was_handed_out_does_not_change() -> None:
    keys = MemoryKeys()
    keys.add(KeyRecord("a", "service", "alice", "robot", frozenset(), "", "h", 1, 9))
    found = keys.changed(-1)
    assert found is not None
    keys.revoke("a", 5)
    assert found[1]["a"].revoked == 0
