import pytest

from bench.lockgate import CONTROLS, policy_text
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.mapping import ArgumentMapping

MAPPING = ArgumentMapping({("up-0", "echo_0"): {"region": "string", "days": "long",
                                                "amount": "long"}})  # fmt: skip


@pytest.mark.parametrize("count", [20, 100])
def test_there_are_as_many_policies_as_asked_for_and_all_hold(count: int) -> None:
    bundle = PolicyBundle.compile({"bench": policy_text(count)}, MAPPING)
    ours = [rule for rule in bundle.rules.values() if rule.file == "bench"]
    assert len(ours) == count


def test_the_controls_that_must_have_spoken_are_those_that_are_shipped() -> None:
    assert {"policy.cedar", "policy.quota", "inspection.schema", "approval.gate"} <= CONTROLS
