from scim2_models import Context

from lockgate.control_plane.scim.resources import shown_group, shown_person
from lockgate.model import Group, Person

BASE = "https://gate.example/scim/v2"
AT = 1_800_000_000_000


def test_a_person_is_shown_without_what_is_not_there() -> None:
    shown = shown_person(Person("1", "scim", "alice", created=AT, learned=AT + 5), BASE, {})
    assert shown.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE) == {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": "1", "userName": "alice", "active": True,
        "meta": {"resourceType": "User", "created": "2027-01-15T08:00:00Z",
                 "lastModified": "2027-01-15T08:00:00.005000Z", "location": f"{BASE}/Users/1"},
    }  # fmt: skip


def test_a_group_is_shown_with_where_its_members_are() -> None:
    group = Group("g", "scim", "nurses", "x", frozenset({"2", "1"}))
    shown = shown_group(group, BASE).model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)
    assert shown["members"] == [
        {"value": "1", "$ref": f"{BASE}/Users/1"}, {"value": "2", "$ref": f"{BASE}/Users/2"},
    ]  # fmt: skip
    assert (shown["displayName"], shown["externalId"]) == ("nurses", "x")
