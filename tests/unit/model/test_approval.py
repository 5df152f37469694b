import msgspec

from lockgate.model import Approval, binding_of
from worlds import call

BINDING = binding_of(call("delete_patient", patient_id="p-1"), "policy-1")
YES = Approval("a1", BINDING.digest, "owner", "dora", expires=1_000)


def test_an_approval_covers_one_call_one_definition_one_policy_for_a_time() -> None:
    assert YES.covers(BINDING, now=999)
    assert not YES.covers(BINDING, now=1_000)
    for changed in ({"call": "other"}, {"tool": "other"}, {"policy": "other"}, {"labels": ("x",)}):
        assert not YES.covers(msgspec.structs.replace(BINDING, **changed), now=0)
