"""Ways around a second person: one's own other accounts, lent votes, lost roles, races."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine

from lockgate.app.settings_admin import Admin, rules_of
from lockgate.app.settings_approvals import Approvals as Settings
from lockgate.app.settings_approvals import FactorSettings, approval_rules_of
from lockgate.approval.desk import Desk
from lockgate.approval.facts import approvals_of
from lockgate.approval.rules import ApprovalRules, FactorRule
from lockgate.control_plane.services.catalogue import Catalogue
from lockgate.control_plane.services.delegations import DAY_MS, Delegations
from lockgate.control_plane.services.edits import Edits
from lockgate.control_plane.services.grants import Grants
from lockgate.control_plane.services.privileges import HOUR_MS, Privileges, Rules, state_of
from lockgate.control_plane.services.refused import Refused
from lockgate.model import Effect, Person, Verdict, combine
from lockgate.model.inquiry import Inquiry, Need
from lockgate.store.approvals import StandingApprovals
from lockgate.store.inquiries import StoredInquiries
from support.inquiries import AT, role
from support.panel import OWNERS, PAY, Panel, paying

AT_ONCE = 8
SECONDS = 30.0
TWO = ApprovalRules({"owner": FactorRule(people=OWNERS | {"oidc:sam", "os:carol"}, count=2)})
EVERYBODY = tuple(f"oidc:p{n}" for n in range(AT_ONCE))
BOUNDS = ("/patient_id=p-011", "/amount<=100", "/unit=mg", "/urgent=false")


@pytest.fixture
def panel() -> Panel:
    return Panel()


def says_yes(panel: Panel, who: str, asked: Inquiry) -> str:
    return panel.as_(who).answer(asked.id, asked.digest, "yes").inquiry.state


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue(request.param)
    return found


# One's own other accounts.


@pytest.mark.parametrize("who", ["os:alice", "oidc:alice"])
def test_a_name_of_an_access_token_and_a_command_are_one_person(who: str) -> None:
    """Tokens name alice as corp/alice, the machine as alice."""
    rules = ApprovalRules({"owner": FactorRule(people=frozenset({who, "oidc:dora"}))},
                          frozenset(), frozenset({"corp/"}))  # fmt: skip
    panel = Panel(rules)
    asked = panel.ask(excluded=("corp/alice",), holder="person:corp/alice")
    with pytest.raises(Refused):
        says_yes(panel, who, asked)
    assert says_yes(panel, "oidc:dora", asked) == "approved"


def test_nobody_lends_their_own_question_under_the_name_that_policy_knows(panel: Panel) -> None:
    dora = panel.as_("oidc:dora")
    dora.actor = replace(dora.actor, alias="d.keller@corp")
    Delegations(dora).give("oidc:bob", AT + DAY_MS)
    asked = panel.ask(excluded=("d.keller@corp",), holder="person:d.keller@corp")
    with pytest.raises(Refused):
        says_yes(panel, "oidc:bob", asked)
    other = panel.ask("q2", {**PAY, "amount": 51})
    assert says_yes(panel, "oidc:bob", other) == "approved"


@pytest.mark.parametrize("other", ["dora", "erin"])
@pytest.mark.parametrize(("external", "employee"), [("00u7", ""), ("", "E-77")])
def test_a_second_account_says_no_yes_to_ones_own(
    panel: Panel, other: str, external: str, employee: str
) -> None:
    panel.know(Person("1", "scim", "alice", external, employee=employee),
               Person("2", "ldap:hq", other, external, employee=employee))  # fmt: skip
    asked = panel.ask()
    for who in (f"oidc:{other}", "oidc:alice", "os:alice", "oidc:ALICE"):
        with pytest.raises(Refused):
            says_yes(panel, who, asked)
    assert panel.as_("oidc:sam").show("q1").asked.votes == ()


def test_accounts_are_one_person_through_a_third_and_in_any_case_of_letters(panel: Panel) -> None:
    panel.know(
        Person("1", "scim", "alice", "x-1"), Person("2", "ldap:hq", "a-adm", "X-1", employee="e7"),
        Person("3", "operator", "dora", employee="E7"),
    )  # fmt: skip
    with pytest.raises(Refused, match="themselves"):
        says_yes(panel, "oidc:dora", panel.ask())


def test_whoever_left_is_still_the_same_person(panel: Panel) -> None:
    panel.know(Person("1", "scim", "alice", employee="7", active=False, deleted=5),
               Person("2", "ldap:hq", "dora", employee="7"))  # fmt: skip
    with pytest.raises(Refused, match="themselves"):
        says_yes(panel, "oidc:dora", panel.ask())


def test_no_number_is_nobodys_number(panel: Panel) -> None:
    panel.know(Person("1", "scim", "alice"), Person("2", "scim", "dora"))
    assert says_yes(panel, "oidc:dora", panel.ask()) == "approved"


def test_an_account_of_the_machine_is_the_subject_it_is_mapped_to() -> None:
    admin = rules_of(Admin(accounts={"al-adm": "alice", "dd": "dora"}))
    panel = Panel(approval_rules_of(
        Settings(factors={"owner": FactorSettings(people=("os:al-adm", "os:dd"))}), admin
    ))  # fmt: skip
    asked = panel.ask()
    with pytest.raises(Refused, match="themselves"):
        says_yes(panel, admin.identity_of("al-adm"), asked)
    assert says_yes(panel, admin.identity_of("dd"), asked) == "approved"


def test_two_accounts_of_one_approver_are_one_yes() -> None:
    panel = Panel(TWO)
    panel.know(Person("1", "scim", "dora", employee="7"), Person("2", "ldap:hq", "sam",
               employee="7"))  # fmt: skip
    asked = panel.ask(needs=(Need("owner", 2),))
    assert says_yes(panel, "oidc:dora", asked) == "pending"
    with pytest.raises(Refused, match="another person"):
        says_yes(panel, "oidc:sam", asked)
    assert says_yes(panel, "oidc:erin", asked) == "approved"


def test_two_that_turn_out_to_be_one_person_have_said_one_yes() -> None:
    panel = Panel(TWO)
    asked = panel.ask(needs=(Need("owner", 2),))
    says_yes(panel, "oidc:dora", asked)
    says_yes(panel, "oidc:sam", asked)
    standing = panel.store.get("q1")
    assert standing is not None
    assert approvals_of((standing,), panel.approvers(), panel.now)
    panel.know(Person("1", "scim", "dora", employee="7"), Person("2", "ldap:hq", "sam",
               employee="7"))  # fmt: skip
    assert not approvals_of((standing,), panel.approvers(), panel.now)


def test_nobody_gives_a_role_to_their_other_account() -> None:
    rules = Rules(granters=frozenset({"oidc:root", "oidc:carol"}))
    panel = Panel(ApprovalRules(rules.factors))
    panel.know(Person("1", "scim", "carol", employee="7"), Person("2", "scim", "c-low",
               employee="7"))  # fmt: skip
    low = Privileges(panel.as_("oidc:c-low"), rules)
    one = low.request("operator", "to look", HOUR_MS)
    with pytest.raises(Refused, match="themselves"):
        Privileges(panel.as_("oidc:carol"), rules).grant(one.id)
    given = panel.store.get(one.id)
    assert given is not None
    with pytest.raises(Refused, match="themselves"):
        says_yes(panel, "oidc:carol", given.inquiry)
    assert Privileges(panel.as_("oidc:root"), rules).grant(one.id).granted


def test_an_approver_gives_no_role_whatever_the_settings_forget() -> None:
    for rules in (ApprovalRules(), ApprovalRules(Rules().factors)):
        panel = Panel(rules)
        panel.store.add(role("oidc:dora", "approver"), b"")
        one = Privileges(panel.as_("oidc:eve"), Rules()).request("operator", "to look", HOUR_MS)
        asked = panel.store.get(one.id)
        assert asked is not None
        with pytest.raises(Refused, match="not yours"):
            says_yes(panel, "oidc:dora", asked.inquiry)


def test_giving_roles_is_not_lent() -> None:
    rules = Rules(granters=frozenset({"oidc:root"}))
    owners = {"owner": FactorRule(people=frozenset({"oidc:root"}))}
    panel = Panel(ApprovalRules({**owners, **rules.factors}))
    Delegations(panel.as_("oidc:root")).give("oidc:eve", AT + DAY_MS)
    one = Privileges(panel.as_("oidc:bob"), rules).request("operator", "to look", HOUR_MS)
    asked = panel.store.get(one.id)
    assert asked is not None
    with pytest.raises(Refused):
        says_yes(panel, "oidc:eve", asked.inquiry)
    assert state_of(Privileges(panel.as_("oidc:bob"), rules).list()[0], AT) == "waiting"


# Lent votes.


def test_a_lent_vote_is_not_for_ones_own_question_in_either_direction(panel: Panel) -> None:
    asked = panel.ask()
    Delegations(panel.as_("oidc:alice")).give("oidc:frank", AT + DAY_MS)
    with pytest.raises(Refused, match="not yours"):
        says_yes(panel, "oidc:frank", asked)
    Delegations(panel.as_("oidc:dora")).give("oidc:alice", AT + DAY_MS)
    with pytest.raises(Refused, match="themselves"):
        says_yes(panel, "oidc:alice", asked)


def test_a_lent_vote_ends_with_what_its_giver_lost(panel: Panel) -> None:
    Delegations(panel.as_("oidc:dora")).give("oidc:frank", AT + DAY_MS)
    asked = panel.ask()
    assert says_yes(panel, "oidc:frank", asked) == "approved"
    standing = panel.store.get("q1")
    assert standing is not None
    assert approvals_of((standing,), panel.approvers(), panel.now)
    panel.rules = ApprovalRules({"owner": FactorRule(people=frozenset({"oidc:erin"}))})
    assert not approvals_of((standing,), panel.approvers(), panel.now)


# Between yes and use.


def test_an_approver_who_lost_the_role_meanwhile_has_approved_nothing() -> None:
    panel = Panel(ApprovalRules())
    panel.store.add(role("oidc:dora", "approver"), b"")
    asked = panel.ask()
    assert says_yes(panel, "oidc:dora", asked) == "approved"
    standing = panel.store.get("q1")
    assert standing is not None
    assert approvals_of((standing,), panel.approvers(), panel.now)
    held = panel.store.get("role-approver-oidc:dora")
    assert held is not None
    over = replace(held.inquiry, state="revoked", version=held.inquiry.version + 1)
    assert panel.store.replace(over)
    assert not approvals_of((standing,), panel.approvers(), panel.now)


def test_a_vote_is_for_what_was_seen(panel: Panel) -> None:
    asked = panel.ask()
    other = panel.ask("q2", {**PAY, "amount": 51})
    for digest in (other.digest, "", asked.digest.upper(), "0" * 64):
        with pytest.raises(Refused):
            panel.as_("oidc:dora").answer("q1", digest, "yes")
    assert panel.as_("oidc:dora").show("q1").asked.votes == ()


def test_whoever_asks_does_not_edit_what_is_asked(panel: Panel) -> None:
    panel.know(Person("1", "scim", "alice", employee="7"), Person("2", "scim", "erin",
               employee="7"))  # fmt: skip
    panel.ask()
    for who in ("oidc:alice", "oidc:erin"):
        with pytest.raises(Refused):
            Edits(panel.as_(who)).edit("q1", ["/amount=100000"])
    assert panel.as_("oidc:dora").show("q1").asked.inquiry.state == "pending"


async def test_asking_the_old_again_does_not_get_around_an_edit(panel: Panel) -> None:
    asked = paying(**PAY)
    said = Verdict("approval.gate", Effect.HOLD, "approval.needed", factors=("owner",), grounds="g")
    decision = combine(asked.digest, [said], required=frozenset({said.control}))
    desk = Desk(panel.store, lambda: panel.rules, lambda _: None, lambda: panel.now,
                lambda: "e", lambda: panel.random(8).hex())  # fmt: skip
    first = (await desk.hold(asked, decision)).inquiry
    assert first is not None
    new = Edits(panel.as_("oidc:dora")).edit(first.id, ["/amount=10"])
    again = (await desk.hold(asked, decision)).inquiry
    assert again == new
    panel.as_("oidc:erin").answer(new.id, new.digest, "no")
    refused = await desk.hold(asked, decision)
    assert refused.reason == "approval.denied"


def test_an_author_of_a_catalogue_change_does_not_approve_it(tmp_path: Path) -> None:
    authors = frozenset({"os:opal", "oidc:opal-sso", "os:carol"})
    panel = Panel(ApprovalRules({"catalogue": FactorRule(people=authors)}))
    panel.know(Person("1", "scim", "opal", employee="7"), Person("2", "scim", "opal-sso",
               employee="7"))  # fmt: skip
    config = tmp_path / "lockgate.yaml"
    config.write_text("policies: policies\n")

    def catalogue(who: str) -> Catalogue:
        return Catalogue(panel.as_(who), config, tmp_path / "data" / "secrets", lambda _: ())

    asked = catalogue("os:opal").propose("policies: others\n")
    for who in ("os:opal", "oidc:opal", "oidc:opal-sso"):
        with pytest.raises(Refused, match="themselves"):
            says_yes(panel, who, asked)
        with pytest.raises(Refused):
            catalogue(who).apply(asked.id)
    assert config.read_text() == "policies: policies\n"


# Races.


def test_of_votes_at_the_same_moment_each_counts_once(engine: Engine) -> None:
    """With a quorum of three, eight people at once: approved, and by no fewer than three."""
    rules = ApprovalRules({"owner": FactorRule(people=frozenset(EVERYBODY), count=3)})
    panel = Panel(rules, StoredInquiries(engine, b"k" * 32, lambda: AT))
    asked = panel.ask(needs=(Need("owner", 3),))
    services = [panel.as_(who) for who in EVERYBODY]

    told: list[str] = []

    def vote(number: int) -> None:
        for _ in range(100):  # whoever is told that somebody was faster looks again
            try:
                services[number].answer(asked.id, asked.digest, "yes")
            except Refused as refused:
                if "same moment" in refused.why:
                    continue
                told.append(refused.why)
            return

    at_once(vote)
    assert len(told) == 5, "too late"
    assert all("answered already" in why for why in told)
    found = panel.store.get(asked.id)
    assert found is not None
    assert found.inquiry.state == "approved"
    assert len(found.votes) == 3
    assert len({v.voter for v in found.votes}) == 3
    assert found.inquiry.version == asked.version + 3


def test_a_yes_and_a_no_at_the_same_moment_are_no_approval_afterwards(engine: Engine) -> None:
    panel = Panel(store=StoredInquiries(engine, b"k" * 32, lambda: AT))
    asked = panel.ask()
    services = [panel.as_("oidc:dora"), panel.as_("oidc:erin")]

    def vote(number: int) -> None:
        try:
            services[number % 2].answer(asked.id, asked.digest, "no" if number % 2 else "yes")
        except Refused:
            return

    at_once(vote)
    found = panel.store.get(asked.id)
    assert found is not None
    assert len(found.votes) == 1, "whoever came second was told so"
    assert found.inquiry.state == ("approved" if found.votes[0].answer == "yes" else "denied")


def test_a_grant_is_used_no_oftener_than_it_says(engine: Engine) -> None:
    panel = Panel(store=StoredInquiries(engine, b"k" * 32, lambda: AT))
    panel.ask()
    one = Grants(panel.as_("oidc:dora")).propose("q1", 5, 30 * 60_000, BOUNDS).inquiry
    assert one.state == "approved"
    used: list[bool] = []

    def use(_: int) -> None:
        while True:
            done = panel.store.claim([one.id], "w", AT)
            used.append(done)
            now = panel.store.get(one.id)
            assert now is not None
            if now.inquiry.uses == 0:
                return

    at_once(use)
    assert used.count(True) == 5
    found = panel.store.get(one.id)
    assert found is not None
    assert (found.inquiry.state, found.inquiry.uses) == ("used", 0)


def test_a_grant_covers_what_its_bounds_say_and_nothing_else(engine: Engine) -> None:
    store = StoredInquiries(engine, b"k" * 32, lambda: AT)
    panel = Panel(store=store)
    panel.ask()
    Grants(panel.as_("oidc:dora")).propose("q1", 5, 30 * 60_000, BOUNDS)
    approvals = StandingApprovals(store, lambda: AT)
    approvals.refresh(AT)

    def covered(**changes: object) -> bool:
        asked = paying(**PAY | changes)
        found = approvals_of(approvals.standing(asked), panel.approvers(), AT)
        return any(one.covers(asked, "approval.gate", "g", AT) for one in found)

    assert covered()
    assert covered(amount=100)
    for changes in ({"amount": 100.01}, {"amount": "50"}, {"amount": True}, {"amount": None},
                    {"patient_id": "p-012"}, {"extra": 1}, {"unit": ["mg"]}):  # fmt: skip
        assert not covered(**changes), changes


def at_once(step: Callable[[int], None]) -> None:
    """In eight threads that begin together."""
    ready, failures = threading.Barrier(AT_ONCE), []

    def run(number: int) -> None:
        try:
            ready.wait(SECONDS)
            step(number)
        except (AssertionError, Refused) as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    assert not failures, failures
