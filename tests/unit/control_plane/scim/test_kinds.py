import pytest
from scim2_models import ScimFilter

from lockgate.control_plane.scim.kinds import Groups, Users
from lockgate.control_plane.scim.resources import UserResource
from lockgate.model import Group, Person
from support.scim import Provider

BASE = "https://gate.example/scim/v2"


@pytest.fixture
def idp() -> Provider:
    made = Provider()
    made.store.put(
        [Person("1", "scim", "alice"), Person("2", "scim", "bob", active=False),
         Person("3", "operator", "alice")],
        [Group("g", "scim", "nurses", members=frozenset({"1"}))],
    )  # fmt: skip
    return made


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('userName eq "ALICE"', {"1"}),
        ('externalId eq "bob"', {"2"}),
        ('userName sw "a"', {"1", "2"}),
        ('not (userName eq "alice")', {"1", "2"}),
    ],
)
def test_who_may_match_is_looked_up_by_name_where_the_filter_is_one(
    idp: Provider, text: str, ids: set[str]
) -> None:
    """``Filter.match`` has the last word; what it would take must be among them."""
    found = Users(idp.people, BASE).candidates(ScimFilter[UserResource](text))
    assert {one.id for one in found} == ids


def test_a_kind_finds_only_its_own(idp: Provider) -> None:
    users, groups = Users(idp.people, BASE), Groups(idp.people, BASE)
    assert users.find("1") is not None
    assert groups.find("g") is not None
    assert [users.find("3"), users.find("g"), groups.find("1")] == [None] * 3


def test_what_may_be_left_out_of_a_user(idp: Provider) -> None:
    users = Users(idp.people, BASE)
    assert users.complete({}, None) == {"active": True}
    assert users.complete({}, users.find("2")) == {"active": False}
    assert users.complete({"ACTIVE": None}, None) == {"ACTIVE": None}
    assert users.complete([], None) == []
    assert Groups(idp.people, BASE).complete({}, None) == {}
