"""The contract is in ``tests/contract/test_people.py``."""

import msgspec

from lockgate.model import Person
from lockgate.store.memory_people import MemoryPeople


def test_what_was_handed_out_does_not_change() -> None:
    people = MemoryPeople()
    people.put([Person("1", "scim", "alice")])
    found = people.people()
    people.put([msgspec.structs.replace(found[0], active=False)])
    assert found[0].active
