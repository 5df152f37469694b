import orjson
import pytest

from lockgate.approval.rules import ApprovalRules, FactorRule
from lockgate.control_plane.services.delegations import DAY_MS, Delegations
from lockgate.control_plane.services.refused import Refused
from lockgate.model import Person
from lockgate.model.inquiry import Need
from support.inquiries import AT, role
from support.panel import RULES, Panel

ENDS = AT + DAY_MS
ALONE = ApprovalRules({"owner": FactorRule(people=frozenset({"oidc:dora"})),
                       "security": FactorRule(people=frozenset({"oidc:sam"}))},
                      frozenset({"oidc:vera"}))  # fmt: skip


@pytest.fixture
def panel() -> Panel:
    return Panel(ALONE)


def as_(panel: Panel, who: str) -> Delegations:
    return Delegations(panel.as_(who))


def test_whom_one_names_answers_until_it_ends(panel: Panel) -> None:
    one = as_(panel, "oidc:dora").give("oidc:frank", ENDS)
    assert as_(panel, "oidc:sam").list() == (one,)
    asked = panel.ask()
    said = panel.as_("oidc:frank").answer("q1", asked.digest, "yes")
    assert (said.inquiry.state, said.votes[0].by_delegation) == ("approved", "oidc:dora")
    row = panel.events.tail(9)[0].event
    assert row.header["action"] == "approval.delegated"
    assert "frank" not in str(row.header)
    assert orjson.loads(row.slots["subject"]) == {"giver": "oidc:dora", "taker": "oidc:frank"}


def test_it_ends_by_itself(panel: Panel) -> None:
    as_(panel, "oidc:dora").give("oidc:frank", ENDS)
    panel.now = ENDS
    assert as_(panel, "oidc:dora").list() == ()
    asked = panel.ask(created=ENDS, expires=ENDS + 900)
    with pytest.raises(Refused, match="not yours"):
        panel.as_("oidc:frank").answer("q1", asked.digest, "yes")


@pytest.mark.parametrize(
    ("to", "ends", "factor"),
    [("frank", ENDS, ""), ("person:frank", ENDS, ""), ("oidc:", ENDS, ""), ("os:dora", ENDS, ""),
     ("oidc:frank", AT, ""), ("oidc:frank", AT + 30 * DAY_MS + 1, ""),
     ("oidc:frank", ENDS, "security"), ("oidc:frank", ENDS, "role:one")],
)  # fmt: skip
def test_what_cannot_be_lent(panel: Panel, to: str, ends: int, factor: str) -> None:
    with pytest.raises(Refused):
        as_(panel, "oidc:dora").give(to, ends, factor)
    assert panel.store.delegations() == ()


def test_who_has_nothing_lends_nothing(panel: Panel) -> None:
    with pytest.raises(Refused, match="nothing to lend"):
        as_(panel, "oidc:frank").give("oidc:greta", ENDS)
    panel.know(Person("1", "scim", "dora", active=False))
    with pytest.raises(Refused, match="nothing to lend"):
        as_(panel, "oidc:dora").give("oidc:greta", ENDS)


def test_holders_of_the_role_approver_lend_it(panel: Panel) -> None:
    panel.store.add(role("oidc:greta", "approver"), b"")
    assert as_(panel, "oidc:greta").give("oidc:frank", ENDS, away=True).away


@pytest.mark.parametrize("who", ["oidc:dora", "oidc:frank", "oidc:vera"])
def test_either_of_the_two_ends_it_or_who_stops_anything(panel: Panel, who: str) -> None:
    one = as_(panel, "oidc:dora").give("oidc:frank", ENDS)
    with pytest.raises(Refused, match="not yours"):
        as_(panel, "oidc:sam").end(one.id)
    assert as_(panel, who).end(one.id).revoked == panel.now
    assert as_(panel, who).list() == ()
    with pytest.raises(Refused, match="no delegation"):
        as_(panel, who).end(one.id)


def test_one_persons_yes_and_their_delegates_are_one() -> None:
    two = ApprovalRules({"owner": FactorRule(people=RULES.factors["owner"].people, count=2)})
    panel = Panel(two)
    as_(panel, "oidc:dora").give("oidc:frank", ENDS)
    asked = panel.ask(needs=(Need("owner", 2),))
    assert panel.as_("oidc:dora").answer("q1", asked.digest, "yes").inquiry.state == "pending"
    with pytest.raises(Refused, match="another person"):
        panel.as_("oidc:frank").answer("q1", asked.digest, "yes")
    assert panel.as_("oidc:erin").answer("q1", asked.digest, "yes").inquiry.state == "approved"
