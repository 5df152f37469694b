import json
import os

import pytest

from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.refused import Refused
from lockgate.control_plane.services.relations import Relations, read_ties
from lockgate.model.relation import Tie
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.relations import MemoryRelations

FILE = 'entity,relation,who\np-011,lead,dora\n"p,012",lead,"erin"\n\n'


def test_a_file_replaces_what_its_source_said() -> None:
    events = MemoryEvents()
    service = Relations(MemoryRelations(), Acting(Actor("os:opal"), events, lambda: 5, os.urandom))
    assert service.load("hr", FILE) == 2
    assert service.list() == (Tie("p,012", "lead", "erin"), Tie("p-011", "lead", "dora"))
    assert service.list("p-011") == (Tie("p-011", "lead", "dora"),)
    assert service.load("hr", "entity,relation,who\n") == 0
    assert service.list() == ()
    (row, _) = [row.event for row in events.tail(5)]
    assert row.header == {"action": "relations.replace", "target": "hr", "count": 2}
    assert json.loads(row.slots["actor"])["identity"] == "os:opal"


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "Line 1"), ("entity,relation\n", "Line 1"), ("p-011,lead,dora\n", "Line 1"),
     ("entity,relation,who\na,b\n", "line 2 has 2 fields"),
     ("entity,relation,who\na,b,c\na,b, c\n", "line 3: who"),
     ("entity,relation,who\n,b,c\n", "line 2: entity"),
     ('entity,relation,who\na,b,"c\n', "is not CSV"),
     ("entity,relation,who\n" + "a,b\n" * 12, "and 2 more")],
)  # fmt: skip
def test_mistakes_are_told_by_line_and_nothing_changes(text: str, told: str) -> None:
    with pytest.raises(Refused, match=told):
        read_ties(text)
