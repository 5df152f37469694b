import itertools
import json

import pytest

from lockgate.approval.approvers import Approvers
from lockgate.approval.rules import ApprovalRules
from lockgate.control_plane.services.acting import Actor
from lockgate.control_plane.services.approvals import Approvals
from lockgate.control_plane.services.privileges import (
    HOUR_MS,
    LAPSES_MS,
    Privileges,
    Rules,
    state_of,
)
from lockgate.control_plane.services.refused import Refused
from lockgate.model import AuditEvent, StoreDown
from lockgate.model.inquiry import Inquiry, Vote
from lockgate.model.privilege import ADMIN_ROLES, RECOVERY, AdminRole, Privilege
from lockgate.store.directory import Directory
from lockgate.store.memory_events import MemoryEvents
from lockgate.store.memory_inquiries import MemoryInquiries
from lockgate.store.memory_people import MemoryPeople
from lockgate.store.relations import MemoryRelations
from lockgate.store.standing import HeldStanding

START = 1_800_000_000_000
RULES = Rules(enforced=True, granters=frozenset({"os:carol", "os:dave", "os:alice"}))


class World:
    def __init__(self) -> None:
        self.now = START
        self.store = MemoryInquiries(lambda: self.now)
        self.events = MemoryEvents()
        self.rules = RULES
        self.people = MemoryPeople()
        self._numbers = itertools.count(1)

    def as_(self, identity: str) -> Privileges:
        approvals = Approvals(
            self.store, self.events, self.approvers(), Actor(identity, "cli", "account"),
            lambda: self.now, lambda count: next(self._numbers).to_bytes(count, "big"),
        )  # fmt: skip
        return Privileges(approvals, self.rules)

    def approvers(self) -> Approvers:
        standing = HeldStanding(self.store, MemoryRelations(), lambda: True, lambda: self.now)
        standing.refresh(self.now)
        directory = Directory(self.people)
        directory.refresh(self.now)
        return Approvers(ApprovalRules(self.rules.factors), directory, standing)

    def asked(self, role: AdminRole = "operator", who: str = "os:alice") -> Privilege:
        return self.as_(who).request(role, "to rotate a key", HOUR_MS)

    def state(self, one: Privilege) -> str:
        (found,) = (p for p in self.as_("os:test").list() if p.id == one.id)
        return state_of(found, self.now)

    @property
    def journal(self) -> list[AuditEvent]:
        return [row.event for row in self.events.tail(100)]


@pytest.fixture
def world() -> World:
    return World()


def test_a_role_is_asked_for_given_held_and_over(world: World) -> None:
    one = world.asked()
    assert world.state(one) == "waiting"
    with pytest.raises(Refused, match="does not hold"):
        world.as_("os:alice").require("operator")
    world.now += 5
    world.as_("os:carol").grant(one.id)
    assert world.state(one) == "active"
    world.as_("os:alice").require("operator")
    with pytest.raises(Refused):
        world.as_("os:carol").require("operator")
    world.now += HOUR_MS - 1
    world.as_("os:alice").require("operator")
    world.now += 1
    assert world.state(one) == "expired"
    with pytest.raises(Refused):
        world.as_("os:alice").require("operator")


def test_a_role_includes_no_other(world: World) -> None:
    world.as_("os:carol").grant(world.asked("operator").id)
    for other in set(ADMIN_ROLES) - {"operator"}:
        with pytest.raises(Refused, match=other):
            world.as_("os:alice").require(other)


def test_nothing_is_required_where_roles_are_not_enforced(world: World) -> None:
    world.rules = Rules(enforced=False)
    for role in ADMIN_ROLES:
        world.as_("os:nobody").require(role)


def test_a_refusal_says_what_is_needed_and_how_to_ask(world: World) -> None:
    with pytest.raises(Refused) as caught:
        world.as_("os:bob").require("approver")
    assert "approver" in caught.value.why
    assert "lockgate admin request approver" in caught.value.remedy


def test_nobody_gives_a_role_to_themselves(world: World) -> None:
    one = world.asked(who="os:alice")
    with pytest.raises(Refused, match="themselves"):
        world.as_("os:alice").grant(one.id)
    assert world.state(one) == "waiting"


def test_one_person_under_two_names_is_one_identity() -> None:
    rules = Rules(accounts={"alice": "248"})
    assert rules.identity_of("alice") == "oidc:248"
    assert rules.identity_of("bob") == "os:bob"


@pytest.mark.parametrize("role", ["privacy_officer", "responder"])
def test_a_dangerous_role_takes_two_others(world: World, role: AdminRole) -> None:
    one = world.asked(role)
    world.as_("os:carol").grant(one.id)
    assert world.state(one) == "waiting"
    with pytest.raises(Refused, match="another person"):
        world.as_("os:carol").grant(one.id)
    with pytest.raises(Refused, match="themselves"):
        world.as_("os:alice").grant(one.id)
    with pytest.raises(Refused, match="may not give"):
        world.as_(RECOVERY).grant(one.id)
    world.as_("os:dave").grant(one.id)
    assert world.state(one) == "active"


def test_settings_may_add_to_what_takes_two_and_never_take_away(world: World) -> None:
    rules = Rules(two_people=frozenset({"operator"}))
    taken = {role: rules.people_for(role) for role in ADMIN_ROLES}
    assert {r for r, n in taken.items() if n == 2} == {"operator", "privacy_officer", "responder"}
    assert not rules.may_grant(RECOVERY, "operator")


def test_only_granters_give_and_the_recovery_admin_where_one_is_enough(world: World) -> None:
    one = world.asked()
    with pytest.raises(Refused, match="may not give"):
        world.as_("os:mallory").grant(one.id)
    assert world.as_(RECOVERY).grant(one.id).granted
    with pytest.raises(Refused, match="holds none"):
        world.asked(who=RECOVERY)


def test_holding_a_role_does_not_let_anybody_give_it(world: World) -> None:
    world.as_("os:carol").grant(world.asked("responder", "os:eve").id)
    world.as_("os:carol").grant(world.asked("operator", "os:eve").id)
    for role in ("operator", "responder"):
        with pytest.raises(Refused, match="may not give"):
            world.as_("os:eve").grant(world.asked(role, "os:bob").id)


def test_an_unanswered_request_lapses(world: World) -> None:
    one = world.asked()
    world.now += LAPSES_MS
    assert world.state(one) == "lapsed"
    with pytest.raises(Refused, match="lapsed"):
        world.as_("os:carol").grant(one.id)


def test_denied_and_withdrawn_are_over(world: World) -> None:
    one, other = world.asked(), world.asked("reader")
    world.as_("os:carol").deny(one.id)
    world.as_("os:alice").deny(other.id)
    assert (world.state(one), world.state(other)) == ("denied", "withdrawn")
    for over in (one, other):
        with pytest.raises(Refused, match="does not wait"):
            world.as_("os:dave").grant(over.id)
        with pytest.raises(Refused, match="holds now"):
            world.as_("os:dave").revoke(over.id)


@pytest.mark.parametrize("who", ["os:carol", "os:bob", RECOVERY])
def test_a_role_is_revoked_by_granters_its_holder_and_the_recovery_admin(
    world: World, who: str
) -> None:
    one = world.asked(who="os:bob")
    world.as_("os:carol").grant(one.id)
    world.as_(who).revoke(one.id)
    assert world.state(one) == "revoked"
    with pytest.raises(Refused):
        world.as_("os:bob").require("operator")


def test_a_responder_may_end_what_others_hold_but_answers_no_request(world: World) -> None:
    held, waits = world.asked(who="os:bob"), world.asked("reader", "os:bob")
    world.as_("os:carol").grant(held.id)
    with pytest.raises(Refused, match="may not end"):
        world.as_("os:eve").revoke(held.id)
    theirs = world.asked("responder", "os:eve")
    world.as_("os:carol").grant(theirs.id)
    world.as_("os:dave").grant(theirs.id)
    world.as_("os:eve").revoke(held.id)
    with pytest.raises(Refused, match="may not end"):
        world.as_("os:eve").deny(waits.id)


@pytest.mark.parametrize(
    ("reason", "lasts"),
    [("", HOUR_MS), ("  ", HOUR_MS), ("x" * 501, HOUR_MS), ("a\nb", HOUR_MS), ("\x1b[2J", HOUR_MS),
     ("why", 8 * HOUR_MS + 1), ("why", 59_999), ("why", -1)],
)  # fmt: skip
def test_requests_that_are_refused(world: World, reason: str, lasts: int) -> None:
    with pytest.raises(Refused):
        world.as_("os:alice").request("operator", reason, lasts)
    assert world.as_("os:test").list() == ()
    assert world.journal == []


def test_a_role_is_asked_for_once_at_a_time(world: World) -> None:
    one = world.asked()
    with pytest.raises(Refused, match=one.id):
        world.asked()
    world.as_("os:carol").grant(one.id)
    with pytest.raises(Refused, match=one.id):
        world.asked()
    world.now += HOUR_MS
    assert world.asked().id != one.id


def test_unknown_ids_are_refused(world: World) -> None:
    for step in (Privileges.grant, Privileges.deny, Privileges.revoke):
        with pytest.raises(Refused, match="no request"):
            step(world.as_("os:carol"), "nothing")


def test_each_step_is_in_the_journal_and_people_only_in_slots(world: World) -> None:
    one = world.asked("responder")
    world.as_("os:carol").grant(one.id)
    world.as_("os:dave").grant(one.id)
    world.as_("os:carol").revoke(one.id)
    actions = [(e.header["action"], e.header["state"]) for e in world.journal]
    assert actions == [
        ("privilege.request", "pending"), ("privilege.grant", "pending"),
        ("privilege.grant", "approved"), ("privilege.revoke", "revoked"),
    ]  # fmt: skip
    assert all(e.header["target"] == one.id for e in world.journal)
    assert json.loads(world.journal[2].slots["actor"])["identity"] == "os:dave"
    assert json.loads(world.journal[2].slots["subject"])["reason"] == "to rotate a key"
    assert "rotate" not in str([e.header for e in world.journal])
    assert "os:" not in str([e.header for e in world.journal])


def test_what_cannot_be_recorded_is_not_done(world: World) -> None:
    class Down(MemoryEvents):
        def append(self, events: object) -> None:
            raise StoreDown("full")

    one = world.asked()
    world.events = Down()
    for step in (Privileges.grant, Privileges.deny):
        with pytest.raises(StoreDown):
            step(world.as_("os:carol"), one.id)
    with pytest.raises(StoreDown):
        world.asked("reader")
    assert [p.granted_by for p in world.as_("os:test").list()] == [()]


def test_of_two_at_the_same_moment_one_is_told_so(world: World) -> None:
    one = world.asked()

    class Slow(MemoryInquiries):
        def replace(self, changed: Inquiry, vote: Vote | None = None) -> bool:
            return False

    slow, asked = Slow(lambda: world.now), world.store.get(one.id)
    assert asked is not None
    slow.add(asked.inquiry, b"")
    world.store = slow
    with pytest.raises(Refused, match="same moment"):
        world.as_("os:carol").grant(one.id)
