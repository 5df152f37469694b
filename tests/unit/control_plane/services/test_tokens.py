import json
from collections.abc import Sequence

import pytest

from lockgate.control_plane.services.acting import Actor
from lockgate.control_plane.services.refused import Refused
from lockgate.control_plane.services.tokens import DAY_MS, Tokens
from lockgate.model import AuditEvent, StoreDown
from lockgate.model.revocation import Revocation
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.revocations import MemoryRevocations

NOW = 1_000_000


class DownEvents:
    def append(self, events: Sequence[AuditEvent]) -> None:
        raise StoreDown("simulated")


def tokens(store: MemoryRevocations, events: MemoryEvents | DownEvents) -> Tokens:
    issuers = {"corp": "https://issuer.example"}
    return Tokens(store, events, issuers, Actor("os:opal"), lambda: NOW, lambda n: bytes(n))


def test_what_was_issued_until_now_is_revoked_and_journalled_first() -> None:
    store, events = MemoryRevocations(), MemoryEvents()
    done = tokens(store, events).revoke("corp", "subject", "alice")
    assert done == Revocation("subject", "https://issuer.example", "alice", NOW, NOW + DAY_MS)
    assert store.list() == (done,)
    (row,) = events.tail(9)
    assert row.event.header["action"] == "token.revoke"
    assert "alice" not in repr(row.event.header), "who it is stands in a slot"
    assert json.loads(row.event.slots["subject"])["value"] == "alice"


def test_what_cannot_be_journalled_is_not_done() -> None:
    store = MemoryRevocations()
    with pytest.raises(StoreDown):
        tokens(store, DownEvents()).revoke("corp", "token", "1")
    assert store.list() == ()


@pytest.mark.parametrize(
    ("issuer", "value"), [("other", "alice"), ("corp", ""), ("corp", "a\nb"), ("corp", "x" * 1_025)]
)
def test_what_makes_no_sense_is_refused(issuer: str, value: str) -> None:
    with pytest.raises(Refused):
        tokens(MemoryRevocations(), MemoryEvents()).revoke(issuer, "subject", value)
