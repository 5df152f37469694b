from typing import Any

import pytest
from msgspec.structs import replace

from lockgate.approval.approvers import Approvers, Voice, name_of
from lockgate.approval.rules import ApprovalRules, FactorRule
from lockgate.model import Person
from lockgate.model.inquiry import Delegation, Need
from lockgate.model.person import folded
from support.inquiries import AT, inquiry, vote


class Town:
    """People, roles and relations, as a test says."""

    def __init__(self) -> None:
        self.people: list[Person] = []
        self.groups: dict[str, frozenset[str]] = {}
        self.held: dict[str, frozenset[str]] = {}
        self.relations: dict[tuple[str, str], frozenset[str]] = {}
        self.lent: list[Delegation] = []

    def alike(self, name: str) -> list[Person]:
        return [p for p in self.people if folded(name) in {folded(n) for n in p.names}]

    def employed(self, number: str) -> list[Person]:
        return [p for p in self.people if number and p.employee == number]

    def groups_of(self, person: Person) -> frozenset[str]:
        return self.groups.get(person.id, frozenset())

    def roles(self, identity: str) -> frozenset[str]:
        return self.held.get(identity, frozenset())

    def related(self, entity: str, relation: str) -> frozenset[str]:
        return self.relations.get((entity, relation), frozenset())

    def delegations(self) -> list[Delegation]:
        return self.lent


@pytest.fixture
def town() -> Town:
    return Town()


def approvers(town: Town, vetoers: frozenset[str] = frozenset(), **rule: Any) -> Approvers:
    factors = {"owner": FactorRule(**rule)} if rule else {}
    return Approvers(ApprovalRules(factors, vetoers), town, town)


def factors(found: Approvers, identity: str, **changes: Any) -> frozenset[str]:
    return found.voice(identity, inquiry(**changes), AT).factors


OWNER = frozenset({"owner"})


def test_named_people_speak_and_nobody_else(town: Town) -> None:
    found = approvers(town, people=frozenset({"oidc:dora"}))
    assert factors(found, "oidc:dora") == OWNER
    assert not factors(found, "oidc:erin")
    assert not factors(found, "os:dora"), "an account of the machine is another identity"
    town.held["oidc:erin"] = frozenset({"approver"})
    assert not factors(found, "oidc:erin"), "the factor names people; the role is for others"


def test_where_a_factor_names_nobody_the_role_speaks(town: Town) -> None:
    town.held["oidc:dora"] = frozenset({"approver"})
    assert factors(approvers(town), "oidc:dora") == OWNER
    town.held["oidc:dora"] = frozenset({"reader"})
    assert not factors(approvers(town), "oidc:dora")


def test_members_of_a_group_speak_while_they_are(town: Town) -> None:
    found = approvers(town, groups=frozenset({"leads"}))
    town.people = [Person("p1", "scim", "dora")]
    assert not factors(found, "oidc:dora")
    town.groups["p1"] = frozenset({"leads"})
    assert factors(found, "oidc:dora") == OWNER
    town.people = [Person("p1", "scim", "dora", active=False)]
    assert not factors(found, "oidc:dora")


def test_what_a_directory_says_is_not_said_of_the_machines_own_accounts(town: Town) -> None:
    town.people, town.groups["p1"] = [Person("p1", "scim", "dora")], frozenset({"leads"})
    town.relations["p-1", "lead"] = frozenset({"dora"})
    asked = {"entity /patient_id": "p-1"}
    grouped = approvers(town, groups=frozenset({"leads"}))
    related = approvers(town, relation="lead", argument="/patient_id")
    for found in (grouped, related):
        assert factors(found, "oidc:dora", tool=asked) == OWNER
        assert not factors(found, "os:dora", tool=asked)


def test_whoever_is_related_to_what_the_argument_names_speaks(town: Town) -> None:
    found = approvers(town, relation="lead", argument="/patient_id")
    town.relations["p-1", "lead"] = frozenset({"dora"})
    asked = {"entity /patient_id": "p-1"}
    assert factors(found, "oidc:dora", tool=asked) == OWNER
    assert not factors(found, "oidc:dora", tool={"entity /patient_id": "p-2"})
    assert not factors(found, "oidc:dora", tool={})
    assert not factors(found, "oidc:erin", tool=asked)


@pytest.mark.parametrize("identity", ["oidc:alice", "os:alice", "oidc:ALICE", "oidc:a-admin"])
def test_nobody_speaks_for_their_own_question_by_any_name(town: Town, identity: str) -> None:
    town.people = [Person("p1", "scim", "alice", "e-7"), Person("p2", "ldap:hr", "a-admin", "e-7")]
    found = approvers(town, people=frozenset({identity}))
    assert found.voice(identity, inquiry(), AT) == Voice(own=True)


def test_the_owner_of_the_agent_is_one_of_those_who_ask(town: Town) -> None:
    found = approvers(town, people=frozenset({"oidc:dora"}))
    assert not factors(found, "oidc:dora", excluded=("robot", "dora"))


def test_only_the_acting_person_confirms(town: Town) -> None:
    found = approvers(town, confirm=True)
    assert factors(found, "oidc:alice") == OWNER
    assert not factors(found, "oidc:dora")
    assert not factors(found, "oidc:alice", holder="service:alice"), "a service is no person"
    assert not factors(found, "oidc:alice", holder="person:bob", excluded=("bob", "alice"))


def test_it_is_escalated_after_a_while(town: Town) -> None:
    found = approvers(town, people=frozenset({"oidc:dora"}), escalate_to=("oidc:erin",),
                      escalate_after=100)  # fmt: skip
    assert not found.voice("oidc:erin", inquiry(), AT + 99).factors
    assert found.voice("oidc:erin", inquiry(), AT + 100).factors == OWNER


def test_one_may_let_another_answer_for_a_time(town: Town) -> None:
    found = approvers(town, people=frozenset({"oidc:dora"}))
    lent = Delegation("d", "oidc:dora", "oidc:erin", AT, AT + 10)
    town.lent = [lent]
    assert found.voice("oidc:erin", inquiry(), AT) == Voice(OWNER, "oidc:dora")
    assert not found.voice("oidc:erin", inquiry(), AT + 10).factors
    for other in (replace(lent, factor="security"), replace(lent, revoked=AT)):
        town.lent = [other]
        assert not factors(found, "oidc:erin")


def test_what_is_lent_is_no_more_than_one_has(town: Town) -> None:
    found = approvers(town, people=frozenset({"oidc:dora", "oidc:alice"}))
    town.lent = [Delegation("d", "oidc:alice", "oidc:erin", AT, AT + 10)]
    assert not factors(found, "oidc:erin"), "alice asks: she cannot say yes through erin either"
    town.lent = [Delegation("d", "oidc:dora", "oidc:alice", AT, AT + 10)]
    assert not factors(found, "oidc:alice"), "nor dora through alice"
    town.lent = [Delegation("1", "oidc:dora", "oidc:erin", AT, AT + 10),
                 Delegation("2", "oidc:erin", "oidc:frank", AT, AT + 10)]  # fmt: skip
    assert not factors(found, "oidc:frank"), "what is lent is not lent on"


def test_who_left_neither_speaks_nor_lends(town: Town) -> None:
    found = approvers(town, people=frozenset({"oidc:dora"}))
    town.people = [Person("p1", "scim", "dora", active=False)]
    town.lent = [Delegation("d", "oidc:dora", "oidc:erin", AT, AT + 10)]
    assert not factors(found, "oidc:dora")
    assert not factors(found, "oidc:erin")


def test_who_may_stop_anything(town: Town) -> None:
    town.held["oidc:sam"] = frozenset({"responder"})
    found = approvers(town, frozenset({"oidc:vera"}))
    assert [found.voice(who, inquiry(), AT).veto for who in ("oidc:sam", "oidc:vera", "oidc:dora")
            ] == [True, True, False]  # fmt: skip


def test_who_is_away_is_not_asked(town: Town) -> None:
    found = approvers(town, people=frozenset({"oidc:dora", "oidc:erin"}))
    town.lent = [Delegation("d", "oidc:dora", "oidc:frank", AT, AT + 10, away=True)]
    everybody = ("oidc:dora", "oidc:erin", "oidc:frank", "oidc:greta")
    assert list(found.asked(inquiry(), AT, everybody)) == ["oidc:erin", "oidc:frank"]


def test_several_factors_at_once(town: Town) -> None:
    rules = ApprovalRules({"owner": FactorRule(people=frozenset({"oidc:dora"})),
                           "security": FactorRule(people=frozenset({"oidc:dora"}))})  # fmt: skip
    both = inquiry(needs=(Need("owner"), Need("security"), Need("legal")))
    found = Approvers(rules, town, town).voice("oidc:dora", both, AT)
    assert found.factors == {"owner", "security"}


def test_names() -> None:
    assert [name_of(n) for n in ("oidc:a", "os:a", "a", "urn:a")] == ["a", "a", "a", "urn:a"]


def test_accounts_of_one_employee_are_one_person(town: Town) -> None:
    town.people = [Person("1", "scim", "dora", employee="7"), Person("2", "hr", "d-adm",
                   employee="7"), Person("3", "scim", "erin")]  # fmt: skip
    found = approvers(town, people=frozenset({"oidc:dora"}))
    assert found.same("oidc:dora", "os:d-adm")
    assert not found.same("oidc:dora", "oidc:erin")
    assert not found.same("oidc:erin", "7"), "a number is no name"


def test_yeses_of_one_person_or_of_one_who_lent_theirs_are_one(town: Town) -> None:
    town.people = [Person("1", "scim", "dora", employee="7"), Person("2", "hr", "d-adm",
                   employee="7")]  # fmt: skip
    found = approvers(town, people=frozenset({"oidc:dora"}))
    dora, second = vote("oidc:dora"), vote("oidc:d-adm")
    lent = vote("oidc:frank", by_delegation="oidc:dora")
    again, erin = vote("oidc:greta", by_delegation="oidc:dora"), vote("oidc:erin")
    assert found.distinct([dora, second, lent, erin]) == (dora, erin)
    assert found.distinct([lent, again, dora]) == (lent,)
    assert found.distinct([vote("oidc:erin", "no"), erin]) == (erin,)


def test_a_fixed_factor_is_its_peoples_alone(town: Town) -> None:
    town.held["oidc:gus"] = frozenset({"approver"})
    town.lent = [Delegation("d", "oidc:dora", "oidc:frank", AT, AT + 10)]
    found = approvers(town, people=frozenset({"oidc:dora"}), fixed=True)
    assert factors(found, "oidc:dora") == OWNER
    assert not factors(found, "oidc:frank")
    nobody = approvers(town, fixed=True)
    assert not factors(nobody, "oidc:gus")
    ours = inquiry(needs=(Need("role:one"),))
    assert not Approvers(ApprovalRules(), town, town).voice("oidc:gus", ours, AT).factors


def test_what_can_be_lent_is_what_one_may_be_asked_for(town: Town) -> None:
    town.held["oidc:gus"] = frozenset({"approver"})
    found = approvers(town, people=frozenset({"oidc:dora"}), escalate_to=("oidc:erin",))
    assert [found.may_lend(f"oidc:{who}", "owner") for who in ("dora", "erin", "gus", "eve")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert found.may_lend("oidc:gus", "")
    assert found.may_lend("oidc:gus", "unnamed")
    assert not found.may_lend("oidc:eve", "")
    assert not approvers(town, confirm=True).may_lend("oidc:dora", "owner")
    assert approvers(town, relation="lead", argument="/p").may_lend("oidc:eve", "owner")


@pytest.mark.parametrize("identity", ["os:alice", "oidc:alice", "oidc:ALICE"])
def test_what_an_issuer_puts_before_a_name_makes_nobody_else(town: Town, identity: str) -> None:
    """A command and the console's identity know nobody by an issuer's name."""
    rules = ApprovalRules({"owner": FactorRule(people=frozenset({identity}))}, frozenset(),
                          frozenset({"corp/"}))  # fmt: skip
    found = Approvers(rules, town, town)
    assert found.voice(identity, inquiry(excluded=("corp/alice",)), AT) == Voice(), "no yes"
    assert factors(found, identity, excluded=("elsewhere/alice",)) == OWNER
    town.lent = [Delegation("d", identity, "oidc:bob", AT, AT + 9)]
    assert not factors(found, "oidc:bob", excluded=("corp/alice",)), "nor lends it"
    related = Approvers(ApprovalRules({"owner": FactorRule(relation="lead", argument="/p")},
                                      frozenset(), frozenset({"corp/"})), town, town)  # fmt: skip
    town.relations["p-1", "lead"] = frozenset({"corp/alice"})
    assert not factors(related, identity, excluded=(), tool={"entity /p": "p-1"}), "and gives none"
