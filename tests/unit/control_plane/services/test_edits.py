import pytest

from lockgate.approval.edits import Change
from lockgate.control_plane.services.edits import Edits
from lockgate.control_plane.services.refused import Refused
from lockgate.model import Person
from lockgate.model.inquiry import Need
from support.panel import PAY, Panel, paying


@pytest.fixture
def panel() -> Panel:
    return Panel()


def test_an_edit_is_a_new_question_for_somebody_else(panel: Panel) -> None:
    old = panel.ask()
    new = Edits(panel.as_("oidc:dora")).edit("q1", ["/amount=10"])
    assert (new.parent, new.state, new.holder) == ("q1", "pending", old.holder)
    assert new.binding is not None
    assert new.binding.call == paying(**PAY | {"amount": 10}).digest
    assert new.digest != old.digest
    before = panel.as_("oidc:erin").show("q1").asked.inquiry
    assert (before.state, before.reason) == ("superseded", "approval.superseded")
    with pytest.raises(Refused, match="themselves"):
        panel.as_("oidc:dora").answer(new.id, new.digest, "yes")
    with pytest.raises(Refused, match="themselves"):
        panel.as_("oidc:alice").answer(new.id, new.digest, "yes")
    with pytest.raises(Refused):
        panel.as_("oidc:erin").answer("q1", old.digest, "yes")
    assert panel.as_("oidc:erin").answer(new.id, new.digest, "yes").inquiry.state == "approved"
    assert panel.actions()[:2] == ["approval.superseded", "approval.requested"]


def test_its_difference_is_told(panel: Panel) -> None:
    panel.ask()
    new = Edits(panel.as_("oidc:dora")).edit("q1", ["/amount=10", "/unit=g"])
    told = (Change("/amount", "50", "10"), Change("/unit", '"mg"', '"g"'))
    assert Edits(panel.as_("oidc:erin")).changes(new.id) == told
    assert Edits(panel.as_("oidc:erin")).changes("q1") == ()


@pytest.mark.parametrize(
    "changes",
    [[], ["/amount=50"], ["/amount<=5"], ["/other=1"], ["/amount=x"], ["/urgent=1"], ["amount"]],
)
def test_what_changes_nothing_or_is_of_another_kind(panel: Panel, changes: list[str]) -> None:
    panel.ask()
    with pytest.raises(Refused):
        Edits(panel.as_("oidc:dora")).edit("q1", changes)
    assert panel.as_("oidc:dora").show("q1").asked.inquiry.state == "pending"


@pytest.mark.parametrize("who", ["oidc:alice", "oidc:sam", "oidc:vera", "os:alice"])
def test_only_who_is_asked_edits(panel: Panel, who: str) -> None:
    panel.ask()
    with pytest.raises(Refused):
        Edits(panel.as_(who)).edit("q1", ["/amount=10"])


def test_what_is_answered_is_edited_no_more(panel: Panel) -> None:
    old = panel.ask()
    panel.as_("oidc:dora").answer("q1", old.digest, "yes")
    with pytest.raises(Refused, match="waits"):
        Edits(panel.as_("oidc:erin")).edit("q1", ["/amount=10"])


def test_another_account_of_the_editor_agrees_no_more_than_the_editor(panel: Panel) -> None:
    panel.know(Person("1", "scim", "dora", employee="77"), Person("2", "ldap:hq", "erin",
               employee="77"))  # fmt: skip
    panel.ask()
    new = Edits(panel.as_("oidc:dora")).edit("q1", ["/amount=10"])
    with pytest.raises(Refused, match="themselves"):
        panel.as_("oidc:erin").answer(new.id, new.digest, "yes")


def test_an_edit_that_names_another_patient_asks_whoever_is_theirs(panel: Panel) -> None:
    from_rules = panel.rules.factors["owner"]
    assert not from_rules.argument
    panel.ask(needs=(Need("owner"), Need("security")))
    new = Edits(panel.as_("oidc:dora")).edit("q1", ["/patient_id=p-012"])
    assert "entity /patient_id" not in new.tool, "no rule asks for it here"
    assert new.needs == (Need("owner"), Need("security"))
