from itertools import permutations

from lockgate.model import APPROVALS, NOW, QUOTA, Facts, Known, Reservation
from lockgate.pipeline.judge import judge
from lockgate.pipeline.order import Order
from support.world import World, shipped_order
from worlds import call

POLICIES = ["", "permit(principal, action, resource);"]


def test_people_come_last_and_every_subject_has_a_control() -> None:
    order = shipped_order()
    assert order.on_call[-1].id == "approval.gate"
    assert all((order.on_call, order.on_reply, order.on_list, order.on_notice))


def test_the_result_does_not_depend_on_the_order() -> None:
    facts = Facts({
        NOW: Known(0), APPROVALS: Known(()), QUOTA: Known(Reservation("k", True, True, 1, 1)),
    })  # fmt: skip
    for policy in POLICIES:
        controls = shipped_order(policy, {("clinic", "get_patient"): "owner"}).on_call
        answers = {judge(p, call(x=1), facts) for p in permutations(controls)}
        assert len(answers) == 1


def test_the_order_asks_for_all_that_its_controls_need() -> None:
    order: Order = World().order
    assert order.needs == {NOW, QUOTA, APPROVALS}
