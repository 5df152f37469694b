import msgspec
import pytest

from lockgate.control_plane.services.approvals import Approvals, held_of
from lockgate.control_plane.services.refused import Refused
from lockgate.model import AuditEvent, Call, Effect, Facts, Verdict, combine
from lockgate.pipeline import record
from lockgate.store.approvals import MemoryApprovals
from lockgate.store.memory_events import MemoryEvents
from worlds import ALICE, call

ASKED = call("delete_patient", patient_id="p-001")


def intent(effect: Effect, asked: Call = ASKED) -> AuditEvent:
    said = Verdict("approval.gate", effect, "approval.needed", factor="owner")
    decision = combine(asked.digest, [said], required=frozenset({"approval.gate"}))
    return record.intent(record.Stamp("e-1", 5), asked, decision, Facts({}), "p1")


def test_nobody_approves_their_own_call() -> None:
    events, store = MemoryEvents(), MemoryApprovals(lambda: 10)
    store.refresh(10)
    events.append((intent(Effect.HOLD),))
    service = Approvals(store, events, "alice", lambda: 10, lambda n: b"x" * n)
    with pytest.raises(Refused, match="own call"):
        service.give("c-1", 15)
    assert store.standing(ASKED.digest) == ()
    assert events.count() == 1


def test_nobody_approves_the_call_of_a_service_they_own() -> None:
    theirs = msgspec.structs.replace(
        ASKED, principal=msgspec.structs.replace(ALICE, kind="service", subject="ci", owner="Dora")
    )
    events, store = MemoryEvents(), MemoryApprovals(lambda: 10)
    store.refresh(10)
    events.append((intent(Effect.HOLD, theirs),))
    service = Approvals(store, events, "dora", lambda: 10, lambda n: b"x" * n)
    with pytest.raises(Refused, match="own call"):
        service.give("c-1", 15)


def test_only_a_held_intent_is_held() -> None:
    assert held_of(intent(Effect.DENY)) is None
    found = held_of(intent(Effect.HOLD))
    assert found is not None
    assert (found.factor, found.digest, found.binding.policy) == ("owner", ASKED.digest, "p1")
