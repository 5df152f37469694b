import pytest

from lockgate.control_plane.services.grants import Grants
from lockgate.control_plane.services.refused import Refused
from lockgate.model.inquiry import Asked, Need
from support.panel import PAY, Panel, paying

HALF_HOUR = 30 * 60_000
BOUNDS = ("/patient_id=p-011", "/amount<=100", "/unit=mg", "/urgent=false")
BOTH = (Need("owner"), Need("security"))


@pytest.fixture
def panel() -> Panel:
    return Panel()


def propose(panel: Panel, who: str = "oidc:dora", *bounds: str, uses: int = 5) -> Asked:
    return Grants(panel.as_(who)).propose("q1", uses, HALF_HOUR, bounds or BOUNDS)


def test_a_grant_of_one_approver_is_in_force_at_once(panel: Panel) -> None:
    panel.ask()
    one = propose(panel).inquiry
    assert (one.state, one.uses, one.parent, one.kind) == ("approved", 5, "q1", "grant")
    assert one.expires == panel.now + HALF_HOUR
    assert one.scope is not None
    assert one.scope.takes(paying(**PAY))
    assert one.scope.takes(paying(**PAY | {"amount": 99.5}))
    assert not one.scope.takes(paying(**PAY | {"amount": 100.5}))
    assert [s.asked.inquiry.id for s in Grants(panel.as_("oidc:sam")).list()] == [one.id]
    assert panel.actions() == ["approval.requested", "approval.answered", "approval.superseded"]


def test_the_proposers_yes_counts_once(panel: Panel) -> None:
    panel.ask(needs=BOTH)
    one = propose(panel).inquiry
    assert one.state == "pending"
    with pytest.raises(Refused, match="another person"):
        panel.as_("oidc:dora").answer(one.id, one.digest, "yes")
    with pytest.raises(Refused):
        panel.as_("oidc:erin").answer(one.id, "0" * 64, "yes")
    assert panel.as_("oidc:erin").answer(one.id, one.digest, "yes").inquiry.state == "pending"
    assert panel.as_("oidc:sam").answer(one.id, one.digest, "yes").inquiry.state == "approved"


def test_whoever_asks_may_propose_and_says_no_yes_by_it(panel: Panel) -> None:
    panel.ask()
    one = propose(panel, "oidc:alice").inquiry
    assert (one.state, panel.as_("oidc:alice").show(one.id).asked.votes) == ("pending", ())
    with pytest.raises(Refused, match="themselves"):
        panel.as_("oidc:alice").answer(one.id, one.digest, "yes")


@pytest.mark.parametrize("who", ["oidc:mallory", "oidc:sam"])
def test_nobody_else_proposes(panel: Panel, who: str) -> None:
    panel.ask()
    with pytest.raises(Refused, match="not yours"):
        propose(panel, who)


@pytest.mark.parametrize(
    "bounds",
    [BOUNDS[:3], BOUNDS[1:], ("/patient_id=p-012", *BOUNDS[1:]),
     ('/patient_id in ["p-011","p-012"]', *BOUNDS[1:]), (*BOUNDS[:1], "/amount<=49", *BOUNDS[2:]),
     (*BOUNDS, "/other=1"), ("/patient_id=p-011",)],
)  # fmt: skip
def test_bounds_take_the_call_and_let_nobody_answer_for_another_patient(
    panel: Panel, bounds: tuple[str, ...]
) -> None:
    panel.ask()
    with pytest.raises(Refused):
        propose(panel, "oidc:dora", *bounds)


@pytest.mark.parametrize(("uses", "lasts"), [(1, HALF_HOUR), (51, HALF_HOUR), (5, 59_999),
                                             (5, 8 * 60 * 60_000 + 1)])  # fmt: skip
def test_a_grant_is_bounded_itself(panel: Panel, uses: int, lasts: int) -> None:
    panel.ask()
    with pytest.raises(Refused, match="grant"):
        Grants(panel.as_("oidc:dora")).propose("q1", uses, lasts, BOUNDS)


@pytest.mark.parametrize("state", ["denied", "vetoed", "revoked", "superseded"])
def test_what_somebody_refused_is_not_granted(panel: Panel, state: str) -> None:
    panel.ask(state=state)
    with pytest.raises(Refused):
        propose(panel)


def test_what_the_acting_person_confirms_is_confirmed_each_time(panel: Panel) -> None:
    panel.ask(needs=(Need("self"),))
    with pytest.raises(Refused, match="each time"):
        propose(panel, "oidc:alice")


@pytest.mark.parametrize("who", ["oidc:dora", "oidc:erin", "oidc:alice", "oidc:vera"])
def test_it_is_ended_by_any_approver_whom_it_is_for_and_vetoers(panel: Panel, who: str) -> None:
    panel.ask()
    one = propose(panel).inquiry
    with pytest.raises(Refused, match="not yours"):
        Grants(panel.as_("oidc:sam")).end(one.id)
    ended = Grants(panel.as_(who)).end(one.id)
    assert (ended.state, ended.ended_by) == ("revoked", who)
    assert Grants(panel.as_(who)).list() == ()
    assert not panel.store.claim([one.id], "w", panel.now)


def test_only_a_grant_is_ended_as_one(panel: Panel) -> None:
    panel.ask()
    with pytest.raises(Refused, match="no grant"):
        Grants(panel.as_("oidc:dora")).end("q1")


def test_it_is_used_as_often_as_it_says(panel: Panel) -> None:
    panel.ask()
    one = propose(panel, uses=2).inquiry
    assert [panel.store.claim([one.id], "w", panel.now) for _ in range(3)] == [True, True, False]
