import msgspec
import pytest

from lockgate.control_plane.services.acting import Acting, Actor
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


def acting(events: MemoryEvents, account: str) -> Acting:
    return Acting(Actor(account), events, lambda: 10, lambda n: b"x" * n)


@pytest.mark.parametrize("account", ["alice", "Alice", "alice as root"])
def test_nobody_approves_their_own_call(account: str) -> None:
    events, store = MemoryEvents(), MemoryApprovals(lambda: 10)
    store.refresh(10)
    events.append((intent(Effect.HOLD),))
    service = Approvals(store, events, acting(events, account))
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
    service = Approvals(store, events, acting(events, "dora"))
    with pytest.raises(Refused, match="own call"):
        service.give("c-1", 15)


def test_what_got_its_yes_waits_no_longer_until_it_is_held_again() -> None:
    events, store = MemoryEvents(), MemoryApprovals(lambda: 10)
    held, again = (
        msgspec.structs.replace(intent(Effect.HOLD), id=f"e-{n}", call=f"c-{n}") for n in (1, 2)
    )
    service = Approvals(store, events, acting(events, "opal"))
    events.append((held, again))
    assert [one.call for one in service.waiting()] == ["c-2"]
    service.give("c-1", 15)
    assert service.waiting() == ()
    events.append((msgspec.structs.replace(held, id="e-3", call="c-3"),))
    assert [one.call for one in service.waiting()] == ["c-3"]


def test_only_a_held_intent_is_held() -> None:
    assert held_of(intent(Effect.DENY)) is None
    found = held_of(intent(Effect.HOLD))
    assert found is not None
    assert (found.factor, found.digest, found.binding.policy) == ("owner", ASKED.digest, "p1")
