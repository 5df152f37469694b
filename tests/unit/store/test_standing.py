import pytest

from lockgate.model import StoreDown
from lockgate.model.inquiry import Delegation
from lockgate.model.privilege import Privilege
from lockgate.store.memory_inquiries import MemoryInquiries
from lockgate.store.privileges import MemoryPrivileges
from lockgate.store.relations import MemoryRelations, Tie
from lockgate.store.standing import EVERYTHING, HeldStanding
from support.inquiries import AT

HELD = Privilege("p", "approver", "oidc:dora", "why", AT, 100, AT + 100, ("os:root",), AT)


class Office:
    def __init__(self, *, enforced: bool = True) -> None:
        self.now = AT
        self.privileges, self.relations = MemoryPrivileges(), MemoryRelations()
        self.inquiries = MemoryInquiries(lambda: self.now)
        self.standing = HeldStanding(
            self.privileges, self.inquiries, self.relations, lambda: enforced, lambda: self.now
        )

    def refresh(self) -> HeldStanding:
        self.standing.refresh(self.now)
        return self.standing


def test_roles_are_held_from_when_they_are_granted_to_when_they_end() -> None:
    office = Office()
    office.privileges.add(HELD)
    waiting = Privilege("w", "responder", "oidc:dora", "why", AT, 100, AT + 100)
    office.privileges.add(waiting)
    assert office.refresh().roles("oidc:dora") == {"approver"}
    assert not office.standing.roles("oidc:erin")
    office.now = HELD.expires
    assert not office.refresh().roles("oidc:dora")


def test_the_machines_own_accounts_answer_where_roles_are_not_enforced() -> None:
    standing = Office(enforced=False).refresh()
    assert standing.roles("os:root") == EVERYTHING
    assert not standing.roles("oidc:root")


def test_relations_and_delegations() -> None:
    office = Office()
    lent = Delegation("d", "os:a", "os:b", AT, AT + 10)
    office.inquiries.delegate(lent)
    office.relations.replace("hr", [Tie("p-1", "lead", "dora")])
    standing = office.refresh()
    assert standing.delegations() == (lent,)
    assert standing.related("p-1", "lead") == {"dora"}
    assert standing.related("p-2", "lead") == frozenset()


def test_what_was_not_read_lately_is_not_known() -> None:
    office = Office(enforced=False)
    office.refresh()
    office.now += 2_001
    for ask in (lambda: office.standing.roles("os:root"), office.standing.delegations,
                lambda: office.standing.related("p-1", "lead")):  # fmt: skip
        with pytest.raises(StoreDown):
            ask()
